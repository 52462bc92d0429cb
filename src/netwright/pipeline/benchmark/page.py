"""The results of a comparison in words and cells, for the page and for the terminal."""

from __future__ import annotations

from netwright.pipeline.benchmark.paired import SIGNIFICANT, Comparison
from netwright.pipeline.benchmark.settings import Arena
from netwright.pipeline.benchmark.summary import Band, BenchmarkResult, Course, Row
from netwright.report.regret import BandCurve, ComparisonPage, CurveFigure, ResultTable, render_comparison


def page(arena: Arena, result: BenchmarkResult) -> str:
    """The text of the page."""
    settings = arena.settings
    by_seconds = settings.by == "seconds"
    x_title = "simulated training time in seconds" if by_seconds else "evaluations"
    unit = arena.objective.unit
    objective = arena.objective.name.replace("_", " ")
    figures = [
        _figure(
            "regret",
            f"Regret: {objective} against the best of the table",
            x_title,
            f"regret in {unit}" if unit else "regret",
            [(course, course.regret) for course in result.courses],
            log=True,
        ),
        _figure(
            "test",
            "Test value of the architecture that is best so far",
            x_title,
            f"test in {unit}" if unit else "test",
            [(course, course.test) for course in result.courses if course.test is not None],
        ),
        _figure(
            "hypervolume",
            f"Hypervolume of {objective} and latency, share of the table's own front",
            x_title,
            "share",
            [(course, course.hypervolume) for course in result.courses if course.hypervolume is not None],
        ),
    ]
    table = arena.table
    facts = [f"{len(table):,} architectures of {table.space.name}", f"{_seeds(result)} seeds"]
    if settings.device is not None:
        limit = "" if settings.max_latency is None else f" of at most {settings.max_latency:g} ms"
        facts.append(f"latency on {settings.device}{limit}")
    known = (
        "A strategy that proposes what is known is asked again."
        if settings.ask_again
        else "What is known is told again without charge; it is not asked for anew."
    )
    return render_comparison(
        ComparisonPage(
            f"{table.name}{', ' + table.dataset if table.dataset else ''}",
            tuple(facts),
            tuple(figure for figure in figures if figure.curves),
            tables(result),
            (
                "Bands are 95 % confidence intervals of the mean over the seeds. A run would choose the "
                f"architecture with the best {objective} that it was told. {known}",
                table.source,
            ),
        )
    )


_HEADERS = (
    "strategy",
    "evaluations",
    "test",
    "±",
    "regret",
    "±",
    "median regret",
    "found the best",
    "ms a proposal",
    "hypervolume",
)


def tables(result: BenchmarkResult) -> tuple[ResultTable, ...]:
    """The numbers as text: the strategies, and where there are several how they compare."""
    rows = tuple(_cells(row) for row in result.rows)
    shown = [at for at in range(len(_HEADERS)) if any(row[at] for row in rows)]
    found = [
        ResultTable(
            "Each strategy at each checkpoint; ± is one standard error",
            tuple(_HEADERS[at] for at in shown),
            tuple(tuple(row[at] for at in shown) for row in rows),
        )
    ]
    if result.comparisons:
        against = result.comparisons[0].against
        found.append(
            ResultTable(
                f"Regret against {against}, seed by seed: p of the paired randomisation test, two-sided, "
                f"after Holm's correction for all {len(result.comparisons)} rows; a verdict where it is "
                f"below {SIGNIFICANT:g}",
                ("strategy", "evaluations", "seeds", "difference", "±", "p", f"than {against}"),
                tuple(_compared(one) for one in result.comparisons),
            )
        )
    return tuple(found)


def _cells(row: Row) -> tuple[str, ...]:
    median = row.regret_quantiles[2]
    return (
        row.strategy,
        f"{row.evaluations:g}",
        _number(row.mean_test, 2),
        _number(row.standard_error, 3) if row.mean_test is not None else "",
        _number(row.mean_validation_regret, 3),
        _number(row.standard_error_regret, 3),
        _number(median, 3),
        f"{100 * row.found_optimum:.0f} %",
        f"{row.milliseconds_per_proposal:.3g}",
        _number(row.hypervolume, 4),
    )


def _compared(one: Comparison) -> tuple[str, ...]:
    return (
        one.strategy,
        f"{one.evaluations:g}",
        str(one.pairs),
        "" if one.difference is None else f"{one.difference:+.3f}",
        _number(one.standard_error, 3),
        f"{one.p_holm:.3g}",
        one.verdict,
    )


def _number(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"


def _seeds(result: BenchmarkResult) -> int:
    return result.rows[0].seeds


def _figure(
    name: str,
    title: str,
    x_title: str,
    y_title: str,
    bands: list[tuple[Course, Band]] | list[tuple[Course, Band | None]],
    *,
    log: bool = False,
) -> CurveFigure:
    curves = tuple(
        BandCurve(
            course.strategy,
            tuple(course.x.tolist()),
            tuple(band.mean.tolist()),
            tuple(band.low.tolist()),
            tuple(band.high.tolist()),
        )
        for course, band in bands
        if band is not None
    )
    ends = "; ".join(f"{curve.name} ends at {curve.middle[-1]:.3f}" for curve in curves)
    return CurveFigure(name, title, f"Line plot over {x_title}: {ends}.", x_title, y_title, log, curves)
