from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from netwright.errors import ConfigError
from netwright.nn.kind import KINDS
from netwright.nn.task import TASKS
from netwright.pipeline import SearchConfig, make_config, read_config
from netwright.pipeline.config import DEFAULT_SPACES

WHOLE: dict[str, Any] = {"data": "digits", "out": "runs/digits"}


def test_what_is_left_out_has_the_documented_default() -> None:
    config = make_config(WHOLE)
    assert (config.space_name, config.strategy_name, config.lag, config.seed, config.top) == (
        "mobilenet-tiny",
        "auto",
        4,
        0,
        3,
    )
    assert config.out == Path("runs/digits")
    assert config.trial_limit == 16
    assert 1 <= config.worker_count <= config.lag


def test_the_space_goes_with_the_task() -> None:
    pixels = {**WHOLE, "data": "fashion-mnist-pixels", "task": "segmentation"}
    assert make_config(pixels).space_name == "auto-deeplab-tiny"
    assert make_config({**pixels, "space": "mine.yaml"}).space_name == "mine.yaml"
    assert set(DEFAULT_SPACES) == set(TASKS)
    kinds = {kind.name: make_config(WHOLE).space_for(kind) for kind in KINDS.values()}
    assert kinds == {"images": "mobilenet-tiny", "windows": "conv1d-tiny", "audio": "spectrogram-tiny"}
    assert make_config({**WHOLE, "space": "mine.yaml"}).space_for(KINDS["windows"]) == "mine.yaml"
    with pytest.raises(ConfigError, match="task: expected one of classification, segmentation, got 'boxes'"):
        assert make_config({**WHOLE, "task": "boxes"}).space_name


def test_every_setting_is_described() -> None:
    described = (SearchConfig.__doc__ or "").split("Attributes:")[1]
    names = [line.split(":")[0].strip() for line in described.splitlines() if line.strip()]
    assert names == list(SearchConfig.model_fields)


def test_trials_are_limited_unless_the_time_is() -> None:
    assert make_config({**WHOLE, "minutes": 5}).trial_limit is None
    assert make_config({**WHOLE, "minutes": 5, "trials": 7}).trial_limit == 7


def test_workers_are_the_cores_but_no_more_than_the_lag(monkeypatch: pytest.MonkeyPatch) -> None:
    for cores, lag, expected in ((8, 4, 4), (2, 4, 2), (8, 1, 1), (None, 4, 1)):
        monkeypatch.setattr("os.cpu_count", lambda cores=cores: cores)
        assert make_config({**WHOLE, "lag": lag}).worker_count == expected
    assert make_config({**WHOLE, "workers": 3}).worker_count == 3


def test_workers_share_the_cores_with_their_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    for cores, threads, expected in ((8, 2, 4), (8, 3, 2), (2, 2, 1), (2, 8, 1), (None, 2, 1)):
        monkeypatch.setattr("os.cpu_count", lambda cores=cores: cores)
        assert make_config({**WHOLE, "threads": threads}).worker_count == expected
    assert make_config({**WHOLE, "threads": 8, "workers": 3}).worker_count == 3
    with pytest.raises(ConfigError, match=r"threads: expected at least 1, got 0"):
        make_config({**WHOLE, "threads": 0})


def test_home_is_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/somebody")
    assert make_config({**WHOLE, "out": "~/runs"}).out == Path("/home/somebody/runs")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"trails": 4}, "search: unknown setting 'trails'; did you mean trials?"),
        ({"max-sram": "64KB"}, "search: unknown setting 'max-sram'; did you mean max_sram?"),
        ({"trials": 0}, "search: trials: expected at least 1, got 0"),
        ({"trials": "many"}, "search: trials: expected a whole number, got 'many'"),
        ({"trials": 1.5}, "search: trials: expected a whole number, got 1.5"),
        ({"minutes": 0}, "search: minutes: expected more than 0, got 0"),
        ({"minutes": float("inf")}, "search: minutes: expected a finite number, got inf"),
        ({"minutes": "soon"}, "search: minutes: expected a number, got 'soon'"),
        ({"fidelity": 1.5}, "search: fidelity: expected at most 1, got 1.5"),
        ({"validation": 1}, "search: validation: expected less than 1, got 1"),
        ({"learning_rate": float("nan")}, "search: learning_rate: expected a finite number, got nan"),
        ({"batch_size": 1}, "search: batch_size: expected at least 2, got 1"),
        ({"data": 5}, "search: data: expected a text, got 5"),
        ({"out": 5}, "search: out: expected a path, got 5"),
        ({"class_weights": "maybe"}, "search: class_weights: expected true or false, got 'maybe'"),
        ({"options": [1]}, "search: options: expected a mapping of names to values, got [1]"),
        ({"max_sram": [64]}, "search: max_sram: expected a number or a text such as '64KB', got [64]"),
        ({3: 4}, "search: expected names of settings, got 3"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(changes: dict[Any, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        make_config({**WHOLE, **changes})
    assert str(caught.value) == message


def test_a_stranger_is_told_what_there_is() -> None:
    with pytest.raises(
        ConfigError, match=r"unknown setting 'zzz'; expected some of data, out, task, device, .*"
    ):
        make_config({**WHOLE, "zzz": 1})


@pytest.mark.parametrize("name", ["data", "out"])
def test_missing(name: str) -> None:
    with pytest.raises(ConfigError, match=rf"^here: the setting '{name}' is missing; give it$"):
        make_config({key: value for key, value in WHOLE.items() if key != name}, "here")


class TestFile:
    def test_read(self, tmp_path: Path) -> None:
        path = tmp_path / "search.yaml"
        path.write_text(
            "data: npz:gestures.npz  # relative to the working directory\n"
            "out: runs/gestures\n"
            "max_sram: 64KB\n"
            "max_macs: 2e6\n"
            "learning_rate: 1e-3\n"
            "class_weights: yes\n"
            "options: {population: 20}\n"
        )
        config = read_config(path, {})
        assert (config.data, config.out) == ("npz:gestures.npz", Path("runs/gestures"))
        assert (config.max_sram, config.max_macs, config.learning_rate) == ("64KB", "2e6", 0.001)
        assert config.class_weights
        assert config.options == {"population": 20}

    def test_what_is_given_beside_it_wins(self, tmp_path: Path) -> None:
        path = tmp_path / "search.yaml"
        path.write_text("data: digits\nout: a\ntrials: 4\noptions: {population: 20, tournament: 3}\n")
        config = read_config(path, {"out": "b", "trials": 8, "options": {"population": 10}})
        assert (config.data, config.out, config.trials) == ("digits", Path("b"), 8)
        assert config.options == {"population": 10, "tournament": 3}
        assert read_config(path, {}).options == {"population": 20, "tournament": 3}

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("", "expected a mapping of settings, such as 'data: digits', got nothing"),
            ("- digits\n", "expected a mapping of settings, such as 'data: digits', got ['digits']"),
            ("data: digits\nout: a\ntrails: 4\n", "unknown setting 'trails'; did you mean trials?"),
            ("data: digits\n", "the setting 'out' is missing; give it"),
            ("data: digits\nout: a\noptions: 3\n", "options: expected a mapping of names to values, got 3"),
            ("3: 4\n", "expected names of settings, got 3"),
        ],
    )
    def test_the_file_is_named(self, tmp_path: Path, text: str, message: str) -> None:
        path = tmp_path / "search.yaml"
        path.write_text(text)
        with pytest.raises(ConfigError) as caught:
            read_config(path, {})
        assert str(caught.value) == f"{path}: {message}"

    @pytest.mark.parametrize(
        "content", [b"data: digits\n  out: [a\n", b"\xff\xfe\x00data", b"a: !!python/x 3"]
    )
    def test_no_yaml(self, tmp_path: Path, content: bytes) -> None:
        path = tmp_path / "search.yaml"
        path.write_bytes(content)
        with pytest.raises(ConfigError, match=r"search.yaml: expected YAML, a line for each setting such as"):
            read_config(path, {})

    def test_no_file(self, tmp_path: Path) -> None:
        with pytest.raises(
            ConfigError, match=r"nix.yaml: expected a YAML file that can be read \(No such file"
        ):
            read_config(tmp_path / "nix.yaml", {})
        with pytest.raises(ConfigError, match=r"expected a YAML file that can be read \(Is a directory"):
            read_config(tmp_path, {})
