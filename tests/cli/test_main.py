from __future__ import annotations

import importlib
import subprocess
import sys
from importlib.metadata import entry_points, version
from pathlib import Path

import pytest

from netwright.cli import main as module
from netwright.cli.main import VERBS, main
from tests.cli.runner import Netwright

BROKEN_VERB = """
import typer
from netwright.errors import SpaceError

app = typer.Typer(rich_markup_mode=None)

@app.command()
def broken(how: str) -> None:
    "Raise something."
    raise {"interrupt": KeyboardInterrupt(), "space": SpaceError("stage2.kernel: got 4")}[how]
"""


@pytest.fixture
def broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A verb that raises, added as any verb is."""
    (tmp_path / "broken_verb.py").write_text(BROKEN_VERB)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(module, "VERBS", {**VERBS, "broken": "broken_verb"})


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command line as a user does."""
    return subprocess.run(
        [sys.executable, "-m", "netwright", *arguments], capture_output=True, text=True, timeout=120
    )


def test_help_of_the_real_process_lists_every_verb() -> None:
    process = run("--help")
    assert process.returncode == 0
    assert process.stderr == ""
    listed = [line.split()[0] for line in process.stdout.partition("Commands:\n")[2].splitlines()]
    assert listed == list(VERBS)


def test_error_of_the_real_process_is_one_line() -> None:
    process = run("cost", "resnet-5")
    assert process.returncode == 2
    assert process.stdout == ""
    assert process.stderr.startswith("error: model: 'resnet-5' is unknown; did you mean resnet-50")
    assert process.stderr.count("\n") == 1


def test_a_reader_that_leaves_early_is_no_error() -> None:
    arguments = [sys.executable, "-m", "netwright", "cost", "resnet-101", "--layers", "--json"]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == ""


def test_entry_point_is_main() -> None:
    (script,) = entry_points(group="console_scripts", name="netwright")
    assert script.load() is main


def test_version(netwright: Netwright) -> None:
    assert netwright("--version").text == f"netwright {version('netwright')}\n"


def test_help_lines_of_verbs_are_not_cut_off(netwright: Netwright) -> None:
    assert "..." not in netwright("--help").text.partition("Commands:")[2]


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself(verb: str, netwright: Netwright) -> None:
    assert importlib.import_module(VERBS[verb]).app is not None
    assert netwright(verb, "--help").text.startswith(f"Usage: netwright {verb} ")
    assert netwright(verb, "-h") == netwright(verb, "--help")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["space", "sizes"], "No such command 'sizes'. Did you mean 'size'"),
        (["cost", "resnet-50", "--layer"], "No such option: --layer"),
        (["space", "size"], "Missing argument 'SPACE'"),
        (["space", "sample", "mobilenet-tiny", "--number", "0"], "'--number'"),
        (["space", "size", "mobilenet-tiny", "--classes", "ten"], "'--classes'"),
    ],
)
def test_usage_errors_exit_with_2(arguments: list[str], expected: str, netwright: Netwright) -> None:
    finished = netwright(*arguments)
    assert finished.code == 2
    assert finished.out == ""
    assert expected in finished.err


@pytest.mark.parametrize(("verb", "hint"), [("costs", "did you mean cost?"), ("xyz", "see netwright --help")])
def test_unknown_verb(verb: str, hint: str, netwright: Netwright) -> None:
    assert netwright(verb).error == f"netwright: expected a verb of {', '.join(VERBS)}, got {verb!r}; {hint}"


def test_without_arguments_it_shows_its_help(netwright: Netwright) -> None:
    finished = netwright()
    assert finished.code == 2
    assert "Commands:" in finished.err


@pytest.mark.usefixtures("broken")
def test_netwright_error_is_one_line(netwright: Netwright) -> None:
    assert netwright("broken", "space").error == "stage2.kernel: got 4"


@pytest.mark.usefixtures("broken")
def test_debug_shows_the_traceback(netwright: Netwright, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NETWRIGHT_DEBUG", "1")
    finished = netwright("broken", "space")
    assert finished.code == 2
    assert finished.err.startswith("Traceback")
    assert finished.err.endswith("netwright.errors.SpaceError: stage2.kernel: got 4\n")


@pytest.mark.usefixtures("broken")
def test_interrupt_exits_with_130(netwright: Netwright) -> None:
    assert netwright("broken", "interrupt").code == 130


@pytest.mark.usefixtures("broken")
def test_any_other_error_is_a_bug_and_is_not_hidden(netwright: Netwright) -> None:
    with pytest.raises(KeyError):
        netwright("broken", "otherwise")
