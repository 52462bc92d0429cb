"""The verb: what it prints, how it exits; ``tests/pipeline/test_deploy.py`` tests the job itself."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

from netwright.space import unrank
from tests.cli.runner import Netwright
from tests.pipeline.deployable import SPACE, need_edge, search_deployable, write_run

SMALL = SPACE.to_graph(unrank(SPACE, 0))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished search."""
    need_edge()
    return search_deployable(tmp_path_factory.mktemp("search") / "run")


@pytest.mark.slow
def test_json_by_the_budget_of_the_run(run: Path, netwright: Netwright) -> None:
    facts = netwright("deploy", str(run), "--calibration", "32", "--json").json
    assert facts == json.loads((run / "deploy" / "deploy.json").read_text())
    for side in ("predicted", "measured"):
        sizes = facts[side]
        assert sizes["arena_bytes"] == sizes["head_bytes"] + sizes["tail_bytes"]
        assert sizes["flash_bytes"] > 0
        assert sizes["tail"] == "host64"
    assert facts["predicted"]["arena_bytes"] == facts["measured"]["arena_bytes"]
    assert set(facts["accuracy"]) == {"float", "int8_tflm", "int8_litert"}
    assert facts["fits"] is facts["verdict"]["fits"] is True
    assert [row["metric"] for row in facts["verdict"]["rows"]] == ["arena_bytes", "flash_bytes"]
    assert facts["device"] is None
    assert facts["calibration"]["images"] == 32
    assert facts["npu"] is None


def need_vela() -> None:
    """Skip, visibly, where vela is missing."""
    if importlib.util.find_spec("ethosu") is None:
        pytest.skip('needs ethos-u-vela: pip install -c constraints.txt "netwright[edge]"')


@pytest.mark.slow
def test_a_device_with_an_npu(run: Path, netwright: Netwright, tmp_path: Path) -> None:
    need_vela()
    out = tmp_path / "files"
    npu = ("--npu", "ethos-u55-128", "--system-config", "Ethos_U55_High_End_Embedded")
    options = ("--device", "stm32f746", "--calibration", "8", "--out", str(out), *npu)
    text = netwright("deploy", str(run), *options, "--memory-mode", "Shared_Sram").text
    facts = json.loads((out / "deploy.json").read_text())
    assert facts["device"] == "stm32f746"
    assert facts["npu"]["target"]["memory_mode"] == "Shared_Sram"
    assert facts["npu"]["cpu_operators"] == []
    assert f"{facts['npu']['cycles']:,} cycles" in text
    assert "fits the budget" in text
    arena = f"{facts['measured']['arena_bytes']:,}"
    row = next(line.split() for line in text.splitlines() if line.startswith("arena "))
    assert row == ["arena", arena, arena]
    assert "Estimated by Arm's compiler vela, not measured" in (out / "deploy.md").read_text()
    assert not (run / "deploy" / "npu").exists()


@pytest.mark.slow
def test_the_npu_of_a_device_is_estimated_without_being_asked_for(
    run: Path, netwright: Netwright, tmp_path: Path
) -> None:
    need_vela()
    out = tmp_path / "files"
    facts = netwright(
        *("deploy", str(run), "--device", "alif-e7", "--calibration", "8", "--out", str(out), "--json")
    ).json
    assert facts["fits"]
    assert facts["npu"]["target"] == {
        "accelerator": "ethos-u55-256",
        "system_config": "Ethos_U55_High_End_Embedded",
        "memory_mode": "Shared_Sram",
        "config": "Arm/vela.ini",
    }
    assert facts["npu"]["cycles"] > 0


@pytest.mark.slow
@pytest.mark.parametrize("form", [(), ("--json",)])
def test_a_network_that_does_not_fit_is_exit_code_3_with_the_numbers(
    run: Path, netwright: Netwright, tmp_path: Path, form: tuple[str, ...]
) -> None:
    options = (
        "--max-arena",
        "1KB",
        "--max-file",
        "1MB",
        "--calibration",
        "8",
        "--out",
        str(tmp_path / "files"),
    )
    finished = netwright("deploy", str(run), *options, *form)
    assert finished.code == 3
    assert finished.err == ""
    facts = json.loads((tmp_path / "files" / "deploy.json").read_text())
    assert facts["fits"] is False
    arena = facts["measured"]["arena_bytes"]
    assert facts["verdict"]["rows"][0] == {
        "metric": "arena_bytes",
        "value": arena,
        "limit": 1024,
        "fits": False,
        "share": arena / 1024,
    }
    if form:
        assert json.loads(finished.out) == facts
    else:
        assert "DOES NOT FIT the budget" in finished.out
        assert f"arena_bytes: {arena} of 1024" in finished.out
        assert f"{arena - 1024} too many" in finished.out
    assert (tmp_path / "files" / "model.tflite").stat().st_size == facts["measured"]["flash_bytes"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((), "missing: expected the run directory of a search, found none"),
        (("--device", "stm33"), "expected the name of a device, got 'stm33'"),
        (("--max-arena", "much"), "--max-arena: expected"),
        (("--npu", "ethos-u55-128"), "got no --system-config and no --memory-mode; such as --npu"),
        (("--memory-mode", "Shared_Sram"), "got no --npu and no --system-config"),
    ],
)
def test_bad_input(netwright: Netwright, tmp_path: Path, options: tuple[str, ...], message: str) -> None:
    assert message in netwright("deploy", str(tmp_path / "missing"), *options).error


def test_an_unfinished_run(netwright: Netwright, tmp_path: Path) -> None:
    assert "expected a finished search, found no result.json" in netwright("deploy", str(tmp_path)).error


def test_without_the_extra(netwright: Netwright, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = write_run(tmp_path, SMALL)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, package=None: None)
    assert 'pip install -c constraints.txt "netwright[edge]"' in netwright("deploy", str(run)).error


def test_no_images_for_calibration(netwright: Netwright, tmp_path: Path) -> None:
    finished = netwright("deploy", str(tmp_path), "--calibration", "0")
    assert finished.code == 2
    assert "'--calibration'" in finished.err
