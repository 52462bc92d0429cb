"""Seeded bugs in training, seeds, strategies, budgets and studies."""

from __future__ import annotations

from mutants.mutant import Mutant

COUNTING_TESTS = "tests/space/test_counting.py"
EVOLUTION_TESTS = "tests/strategies/test_evolution.py"
PERMUTATION_TESTS = "tests/space/test_permutation.py"
LAWS_OF_EVOLUTION_TESTS = "tests/testing/test_registered.py::TestSmallEvolution"
LAWS_OF_RANDOM_TESTS = "tests/testing/test_registered.py::TestRandomSearch"
BUDGET_TESTS = "tests/devices/test_budget.py"
DRIVER_TESTS = "tests/study/test_driver.py"
HISTORY_TESTS = "tests/study/test_history.py"

TRAINING = (
    Mutant(
        "mixed precision is asked for and not used",
        "nn/train.py",
        'enabled=recipe.precision == "bfloat16"',
        "enabled=False",
        "tests/nn/test_train.py::test_mixed_precision_learns_too_and_leaves_float32_weights",
    ),
)

SEEDING = (
    Mutant(
        "generators ignore the number of the draw",
        "seeding.py",
        "(int(seed), *map(str, purpose))",
        "(int(seed), *map(str, purpose[:1]))",
        "tests/testing/test_laws.py tests/space/test_counting.py",
    ),
    Mutant(
        "generators ignore the seed",
        "seeding.py",
        "(int(seed), *map(str, purpose))",
        "tuple(map(str, purpose))",
        f"{LAWS_OF_RANDOM_TESTS} {COUNTING_TESTS}",
    ),
    Mutant(
        "small numbers are drawn more often",
        "seeding.py",
        "        if drawn < bound:\n            return drawn",
        "        return drawn % bound",
        COUNTING_TESTS,
    ),
)

STRATEGIES = (
    Mutant(
        "evolution maximises what is to be minimised",
        "trial.py",
        'return float(value if objective.direction == "maximize" else -value)',
        "return float(value)",
        LAWS_OF_EVOLUTION_TESTS,
    ),
    Mutant(
        "the worst dies, not the oldest",
        "strategies/population.py",
        "        return (*members, joined)[-count:]\n",
        "        return tuple(sorted((*members, joined), key=lambda member: member.score))[-count:]\n",
        EVOLUTION_TESTS,
    ),
    Mutant(
        "the worst of a tournament is the parent",
        "strategies/population.py",
        "return members[max((int(index) for index in drawn), key=merit)]",
        "return members[min((int(index) for index in drawn), key=merit)]",
        EVOLUTION_TESTS,
    ),
    Mutant(
        "children need not fit",
        "strategies/variation.py",
        "if child in excluded or (budget and not fits(space, child, budget)):",
        "if child in excluded:",
        LAWS_OF_EVOLUTION_TESTS,
    ),
    Mutant(
        "the living are proposed again",
        "strategies/variation.py",
        "if child in excluded or (budget and not fits(space, child, budget)):",
        "if budget and not fits(space, child, budget):",
        EVOLUTION_TESTS,
    ),
    Mutant(
        "failed trials become parents",
        "trial.py",
        "    if not (trial.complete and trial.fits):\n        return None",
        "    if not trial.complete:\n        return 0.0",
        EVOLUTION_TESTS,
    ),
    Mutant(
        "crossover takes options that are not open",
        "space/crossover.py",
        "[option for option in inherited if option in children] or list(children)",
        "inherited or list(children)",
        "tests/space/test_crossover.py",
    ),
    Mutant(
        "crossover takes after the first parent alone",
        "space/crossover.py",
        "for parent in parents if node.decision in parent]",
        "for parent in parents[:1] if node.decision in parent]",
        "tests/space/test_crossover.py",
    ),
    Mutant(
        "equal points dominate each other",
        "pareto.py",
        " and tuple(left) != tuple(right)",
        "",
        "tests/test_pareto.py",
    ),
    Mutant(
        "what does not fit is as good as what does",
        "pareto.py",
        "np.where(both_fit, before, beyond[:, None] < beyond[None, :])",
        "before",
        "tests/test_pareto.py",
    ),
    Mutant(
        "the most crowded survives",
        "strategies/population.py",
        "(-float(front), distance)",
        "(-float(front), -distance)",
        "tests/strategies/test_population.py",
    ),
    Mutant(
        "a study keeps the value of the first objective only, again and again",
        "study/store.py",
        "value_of(trial, objective) for objective in self.settings.objectives",
        "value_of(trial, self.settings.objective) for _ in self.settings.objectives",
        "tests/study/test_objectives.py",
    ),
    Mutant(
        "random search goes through the space in order",
        "strategies/enumeration.py",
        "self.candidates.at(self.order(position))",
        "self.candidates.at(position)",
        LAWS_OF_RANDOM_TESTS,
    ),
    Mutant(
        "random search repeats itself",
        "strategies/enumeration.py",
        "            found = position = number\n",
        "            found, position = number, number // 2\n",
        LAWS_OF_RANDOM_TESTS,
    ),
    Mutant(
        "the inverse permutation runs forwards",
        "space/permutation.py",
        "range(ROUNDS - 1, -1, -1)",
        "range(ROUNDS)",
        PERMUTATION_TESTS,
    ),
    Mutant(
        "half of the orders are never taken",
        "space/permutation.py",
        "return position ^ self._round(ROUNDS, 0, 1) if position < 2 <= self.size else position",
        "return position",
        PERMUTATION_TESTS,
    ),
    Mutant(
        "a budget is exclusive",
        "space/members.py",
        "if any(costs[name] > limit for",
        "if any(costs[name] >= limit for",
        "tests/strategies/test_candidates.py",
    ),
    Mutant(
        "expected improvement forgets what is certain",
        "strategies/gaussian.py",
        "deviation * (z * below + density)",
        "deviation * density",
        "tests/strategies/test_gaussian.py",
    ),
    Mutant(
        "what was believed is as uncertain as before",
        "strategies/gaussian.py",
        "self.variance - covariance**2 / total",
        "self.variance",
        "tests/strategies/test_gaussian.py",
    ),
    Mutant(
        "annealing walks downhill as easily as uphill",
        "strategies/annealing.py",
        "chance < math.exp(gain / temperature)",
        "chance < math.exp(-gain / temperature)",
        "tests/strategies/test_annealing.py",
    ),
    Mutant(
        "asha promotes one more than its share",
        "strategies/asha.py",
        "len(ladder[level].entries) // self.eta)",
        "len(ladder[level].entries) // self.eta + 1)",
        "tests/strategies/test_schedules.py",
    ),
    Mutant(
        "a difference between strategies is tested in one direction",
        "pipeline/benchmark/paired.py",
        "np.count_nonzero(np.abs(signs @ size) >= observed)",
        "np.count_nonzero(signs @ size >= observed)",
        "tests/pipeline/test_benchmark.py::test_all_sign_changes_of_a_few_pairs",
    ),
    Mutant(
        "corrected p-values may fall below smaller ones",
        "pipeline/benchmark/paired.py",
        "largest = max(largest, min(",
        "largest = max(0.0, min(",
        "tests/pipeline/test_benchmark.py::test_holm_by_hand",
    ),
    Mutant(
        "known results are charged again",
        "study/in_memory.py",
        "if again and self._known_is_free:",
        "if again and not self._known_is_free:",
        "tests/study/test_in_memory.py",
    ),
)

DEVICES = (
    Mutant(
        "nothing of the memory is kept",
        "devices/budget.py",
        "return min(Fraction(self.fixed), memory * self.share)",
        "return Fraction(0)",
        BUDGET_TESTS,
    ),
    Mutant(
        "a small memory is kept as a whole",
        "devices/budget.py",
        "return min(Fraction(self.fixed), memory * self.share)",
        "return min(Fraction(self.fixed), Fraction(memory))",
        BUDGET_TESTS,
    ),
    Mutant(
        "a limit of the verdict is exclusive",
        "devices/budget.py",
        "return self.value <= self.limit",
        "return self.value < self.limit",
        BUDGET_TESTS,
    ),
    Mutant(
        "limits are rounded up",
        "devices/budget.py",
        "left = math.floor(size - kept)",
        "left = math.ceil(size - kept)",
        BUDGET_TESTS,
    ),
)

STUDY = (
    Mutant(
        "the lag is ignored: proposals see all that has ended",
        "study/driver.py",
        "needed = self.next - self.study.settings.lag + 1",
        "needed = self.next",
        DRIVER_TESTS + "::test_proposal_k_is_made_from_the_results_of_0_to_k_minus_lag",
    ),
    Mutant(
        "results are folded a trial late",
        "study/driver.py",
        "needed = self.next - self.study.settings.lag + 1",
        "needed = self.next - self.study.settings.lag",
        DRIVER_TESTS + "::test_proposal_k_is_made_from_the_results_of_0_to_k_minus_lag",
    ),
    Mutant(
        "the first trial is folded again and again",
        "study/driver.py",
        "self.strategy.update(self.state, self.finished[self.folded])",
        "self.strategy.update(self.state, self.finished[0])",
        DRIVER_TESTS + "::test_proposal_k_is_made_from_the_results_of_0_to_k_minus_lag",
    ),
    Mutant(
        "every proposal has the same generator",
        "study/rules.py",
        'stream(seed, "propose", number, attempt)',
        'stream(seed, "propose", attempt)',
        "tests/study/test_rules.py",
    ),
    Mutant(
        "the best trial is always the largest",
        "study/history.py",
        'return trial if (new > old) == (objective.direction == "maximize") else best',
        "return trial if new > old else best",
        HISTORY_TESTS,
    ),
    Mutant(
        "trials are ranked upside down",
        "study/history.py",
        'sign = -1.0 if self.objective.direction == "maximize" else 1.0',
        "sign = 1.0",
        HISTORY_TESTS,
    ),
)
