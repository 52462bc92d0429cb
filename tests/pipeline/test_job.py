from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import netwright
from netwright import blocks as B
from netwright.errors import BudgetError, ConfigError, DataError, NetwrightError, SpaceError, StudyError
from netwright.nn.data import load_data
from netwright.pipeline import Checked, Loaded, Progress
from netwright.pipeline.job import prepare_job, run
from netwright.space import choice, compile_space, costs_of, iterate, place, sequential
from netwright.spaces import catalog
from netwright.study import History
from netwright.trial import Metric, Proposal, Trial, TrialState
from tests.pipeline.small import SPACE, ignore, prepared, small_config

SOME = list(iterate(SPACE))[:8]


def history(*outcomes: tuple[int, float | None]) -> History:
    """A history with the given architectures (by index into SOME) and accuracies, None for a failed trial."""
    trials = [
        Trial(
            proposal=Proposal(number, SOME[index], fidelity=0.2),
            state=TrialState.FAILED if accuracy is None else TrialState.COMPLETE,
            metrics={} if accuracy is None else {"validation_accuracy": accuracy},
            costs=costs_of(SPACE, SOME[index]),
            fits=True,
            seed=number,
            reason="it broke" if accuracy is None else None,
        )
        for number, (index, accuracy) in enumerate(outcomes)
    ]
    return History.of(Metric("validation_accuracy", "share", "maximize"), trials)


def write_npz(path: Path, seed: int = 0) -> Path:
    """Sixty training and twenty test images of ten classes."""
    rng = np.random.default_rng(seed)
    np.savez(
        path,
        x_train=rng.integers(0, 256, (60, 8, 8), dtype=np.uint8),
        y_train=np.arange(60) % 10,
        x_test=rng.integers(0, 256, (20, 8, 8), dtype=np.uint8),
        y_test=np.arange(20) % 10,
    )
    return path


class TestWhatIsWrongIsSaidBeforeAnythingIsWritten:
    @pytest.mark.parametrize(
        ("changes", "kind", "message"),
        [
            ({"data": "digit"}, DataError, r"^data: expected one of digits, fashion-mnist, .*, got 'digit'$"),
            ({"data": "npz:nix.npz"}, DataError, r"^npz:nix.npz: the file does not exist"),
            ({"data": "folder:nix"}, DataError, r"^folder:nix: the folder does not exist"),
            (
                {"strategy": "hope"},
                ConfigError,
                r"^strategy: expected one of grid, random, .*, got 'hope'$",
            ),
            ({"options": {"pop": 3}}, ConfigError, r"^strategy auto: expected options .*, got 'pop'$"),
            ({"options": {"initial": 0}}, ConfigError, r"^auto.initial: .* got 0$"),
            ({"device": "stm32f747"}, ConfigError, r"^device: .* 'stm32f747'; did you mean .*stm32f746"),
            ({"max_macs": "2X"}, BudgetError, r"^max_macs: expected a unit of .*, got 'X' in '2X'"),
            ({"max_macs": 100}, BudgetError, r"^nothing fits: .* needs 3.34k MACs, the budget is 100 "),
            ({"accelerator": "tpu"}, ConfigError, r"^accelerator: expected auto, cpu, .* got 'tpu'$"),
            ({"augmentation": "magic"}, ConfigError, r"^augmentation: expected one of .*, got 'magic'$"),
            (
                {"precision": "half"},
                ConfigError,
                r"^precision: expected one of float32, bfloat16, got 'half'$",
            ),
            (
                {"memory_limit": "much"},
                BudgetError,
                r"^memory_limit: expected a number and a unit, got 'much'",
            ),
            ({"memory_limit": 0}, ConfigError, r"^memory_limit: expected more than 0, got 0"),
            (
                {"workers": 5},
                ConfigError,
                r"^workers: expected at most 4, the lag, got 5; use fewer workers or",
            ),
            ({"validation": 0.999}, DataError, r"^digits: validation share 0.999: class .* at least 1000"),
        ],
    )
    def test_settings(
        self,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        changes: dict[str, Any],
        kind: type[NetwrightError],
        message: str,
    ) -> None:
        monkeypatch.chdir(tmp_path)
        with pytest.raises(kind, match=message) as caught:
            run(small_config(**changes), space=SPACE)
        assert "\n" not in str(caught.value)
        assert list(tmp_path.iterdir()) == []

    def test_settings_come_before_data(self) -> None:
        with pytest.raises(ConfigError, match="strategy"):
            prepared(data="npz:nix.npz", strategy="hope")
        with pytest.raises(ConfigError, match="space: 'huge' is unknown"):
            prepared(None, data="npz:nix.npz", space="huge")

    def test_data_that_the_space_is_not_for(self) -> None:
        grey = write_space((1, 8, 8), classes=10)
        colour = write_space((3, 8, 8), classes=10)
        few = write_space((1, 8, 8), classes=3)
        assert prepared(grey).space == grey
        with pytest.raises(
            SpaceError,
            match=r"space own: expected networks for images of 1 channels, as digits has them, got",
        ):
            prepared(colour)
        with pytest.raises(
            SpaceError, match=r"space own: expected 10 outputs for each image, one for each class of digits"
        ):
            prepared(few)

    def test_an_object_that_is_no_space(self, tmp_path: Path) -> None:
        opaque: Any = object()
        with pytest.raises(ConfigError, match=r"space: expected a name or a space that .* made, got object"):
            netwright.search("digits", tmp_path / "run", space=opaque)

    def test_run_directories_that_cannot_be(self, tmp_path: Path) -> None:
        file = tmp_path / "file"
        file.write_text("precious")
        with pytest.raises(ConfigError, match=r"file: expected a run directory, found a file; give another"):
            run(small_config(out=file), space=SPACE)
        for below in (file / "run", Path("/proc/nowhere/run")):
            with pytest.raises(StudyError, match=r"run: expected a run directory that can be made \(N"):
                run(small_config(out=below), space=SPACE)
        assert file.read_text() == "precious"


def write_space(shape: tuple[int, int, int], classes: int) -> Any:
    return compile_space(
        sequential(
            place("stem", B.conv_bn_act(out=choice(4, 8))),
            place("end", B.classifier(classes=classes)),
            input=shape,
        ),
        "own",
    )


class TestWhatTheSettingsStandFor:
    def test_the_lists_of_facts_come_in_order(self) -> None:
        told: list[Progress] = []
        job = prepare_job(small_config(), None, SPACE, told.append)
        loaded, checked = told
        assert isinstance(loaded, Loaded)
        assert isinstance(checked, Checked)
        assert (loaded.train, loaded.validation, loaded.test) == (1150, 288, 359)
        assert (checked.size, checked.fitting.lower, checked.fitting.upper) == (80, 62, 62)
        macs = checked.extremes["macs"]
        assert macs is not None
        assert macs.largest.value == 73_520
        assert checked.budget == ("macs at most 40k (max_macs)",)
        assert job.budget == {"macs": 40_000}

    def test_a_recipe_by_data_but_for_what_is_given(self) -> None:
        usual = prepared(epochs=None).recipe
        given: dict[str, Any] = {
            "epochs": 3,
            "batch_size": 17,
            "learning_rate": 0.5,
            "augmentation": "none",
            "label_smoothing": 0.0,
            "precision": "bfloat16",
            "class_weights": True,
        }
        assert prepared(**given).recipe == replace(usual, **given)
        assert usual.label_smoothing > 0

    @pytest.mark.parametrize(
        ("settings", "expected"),
        [
            ({"epochs": 1}, 0.2),
            ({"epochs": 1000}, 0.0209),  # 24,000 images of 1,150 thousand
            ({"epochs": 10**9}, 2.09e-8),
            ({"epochs": 1000, "fidelity": 0.5}, 0.5),
        ],
    )
    def test_fidelity(self, settings: dict[str, Any], expected: float) -> None:
        assert prepared(**settings).fidelity == expected

    def test_no_more_trials_than_fit(self) -> None:
        assert (prepared(trials=4).trials, prepared(trials=4).planned_trials) == (4, 4)
        assert (prepared(trials=100).trials, prepared(trials=100).planned_trials) == (62, 62)
        timed = prepared(trials=None, minutes=1)
        assert (timed.trials, timed.planned_trials) == (62, None)

    def test_small_data_validate_with_more(self, tmp_path: Path) -> None:
        job = prepared(data=f"npz:{write_npz(tmp_path / 'some.npz')}")
        assert (len(job.rows.train_indices), len(job.rows.validation_indices)) == (48, 12)
        assert len(prepared(validation=0.5).rows.validation_indices) == 719

    def test_trials_get_the_data_themselves(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """So a relative path is as good as any, wherever a trial runs and whatever becomes of the file."""
        monkeypatch.chdir(tmp_path)
        path = write_npz(tmp_path / "some.npz")
        job = prepared(data="npz:some.npz")
        monkeypatch.chdir("/")
        path.unlink()
        data, rows = job.source.load()
        assert data.fingerprint == job.data.fingerprint
        assert np.array_equal(rows.train_indices, job.rows.train_indices)

    def test_the_command_is_the_users(self) -> None:
        assert prepared(None, max_macs="1M").command == (
            "netwright search --data digits --out nowhere --max-macs 1M --trials 4 --workers 2 --epochs 1 "
            "--top 2"
        )
        source = replace(load_data("digits"), name="gestures")
        job = prepare_job(small_config(data="gestures"), source, SPACE, ignore)
        assert job.command == (
            "netwright.search(<gestures>, 'nowhere', space=<small>, max_macs='40k', trials=4, workers=2, "
            "epochs=1, top=2)"
        )


class TestTheSameJob:
    """Two calls are the same job if they stand for the same, however it is spelled."""

    @pytest.mark.parametrize(
        "changes",
        [
            {"max_macs": 40_000},
            {"max_macs": "0.04M"},
            {"out": "elsewhere"},
            {"workers": 1},
            {"accelerator": "cpu"},
            {"memory_limit": "4GB"},
            {"timeout": 3},
            {"trials": 9},
            {"minutes": 3},
            {"options": {"initial": 5}},
            {"fidelity": 0.2},
            {"validation": 0.2},
            {"augmentation": "shift"},
            {"space": "a name that is not used"},
        ],
    )
    def test_same(self, changes: dict[str, Any]) -> None:
        assert prepared(**changes).identity() == prepared().identity()

    @pytest.mark.parametrize(
        "changes",
        [
            {"max_macs": 39_999},
            {"max_params": "1M"},
            {"seed": 1},
            {"lag": 5},
            {"strategy": "random"},
            {"options": {"initial": 6}},
            {"fidelity": 0.3},
            {"validation": 0.3},
            {"epochs": 2},
            {"batch_size": 20},
            {"learning_rate": 0.01},
            {"augmentation": "none"},
            {"label_smoothing": 0.0},
            {"precision": "bfloat16"},
            {"class_weights": True},
            {"threads": 2},
            {"top": 1},
        ],
    )
    def test_other(self, changes: dict[str, Any]) -> None:
        assert prepared(**changes).identity() != prepared().identity()

    def test_memory_in_any_unit(self) -> None:
        budgets: list[dict[str, Any]] = [
            {"max_sram": spelled, "sram_margin": 0} for spelled in ("64KB", "64 KiB", 65536, "65536")
        ]
        planned = replace(SPACE, memory_model="standard")
        first, *others = [prepared(planned, **budget).identity() for budget in budgets]
        assert others == [first] * 3

    def test_data_wherever_they_lie(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        path = write_npz(tmp_path / "some.npz")
        first = prepared(data="npz:some.npz").identity()
        assert prepared(data=f"npz:{path}").identity() == first
        assert prepared(data="npz:./some.npz").identity() == first
        write_npz(path, seed=1)
        assert prepared(data="npz:some.npz").identity() != first

    def test_a_space_is_what_it_has_not_what_it_is_called(self) -> None:
        assert (
            prepared(write_space((1, 8, 8), 10)).identity()
            != prepared(write_space((1, 16, 16), 10)).identity()
        )


class TestFinalists:
    def test_the_best_first_and_each_architecture_once(self) -> None:
        found = history((0, 0.5), (1, 0.9), (2, None), (1, 0.95), (3, 0.9), (0, 0.7))
        job = prepared(top=3)
        assert [trial.number for trial in job.finalists(found)] == [3, 4, 5]
        assert [trial.number for trial in prepared(top=1).finalists(found)] == [3]
        assert [trial.number for trial in prepared(top=9).finalists(found)] == [3, 4, 5]

    def test_other_finalists_another_folder(self) -> None:
        job = prepared(top=2)
        folders = [
            job.final_directory(job.finalists(history(*outcomes)))
            for outcomes in (
                [(0, 0.5), (1, 0.9)],
                [(1, 0.9), (0, 0.5)],
                [(0, 0.9), (1, 0.5)],
                [(0, 0.5), (2, 0.9)],
            )
        ]
        assert folders[0] == folders[1]
        assert len(set(folders)) == 3
        assert all(folder.parent == job.out / "final" for folder in folders)

    def test_many_finalists_have_a_folder_too(self) -> None:
        found = history(*((index, 0.5) for index in range(8)))
        assert len(prepared(top=60).final_directory(found.completed * 10).name) < 100


def test_a_space_from_a_file(tmp_path: Path) -> None:
    """As ``netwright space design`` writes it."""
    path = tmp_path / "mine.yaml"
    catalog.write_space(path, "mcunet", {"resolution": 48, "width": 0.5})
    job = prepared(None, space=str(path), max_macs="100M")
    assert job.space.id == catalog.make_space("mcunet", (1, 8, 8), 10, {"resolution": 48, "width": 0.5}).id
    assert f"--space {path}" in job.command
    path.write_text("space: mcunet\nset: {resolution: none}\n")
    with pytest.raises(ConfigError, match=r"mine.yaml: mcunet.resolution: "):
        prepared(None, space=str(path))
