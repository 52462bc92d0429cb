from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import optuna
import pytest
from sqlalchemy import event

from netwright.errors import MissingDependencyError, StudyError
from netwright.study import History, Study, open_study, read_study
from netwright.study import filesystems as filesystems_module
from netwright.trial import Proposal, Trial, TrialState
from tests.study.probes import ACCURACY, SPACE, costs_of, settings

OPTIONS = {decision.name: decision.options for decision in SPACE.decisions}
DEEP = SPACE.of({"depth": 2, "width": 16, "kernel1": 5, "kernel2": 7, "act": "relu6"})
FLAT = SPACE.of({"depth": 1, "width": 8, "kernel1": 3, "act": "relu"})


@pytest.fixture
def study(tmp_path: Path) -> Iterator[Study]:
    with open_study(tmp_path / "run", settings()) as study:
        yield study


@pytest.fixture
def optuna_storage() -> Iterator[Callable[[str], optuna.storages.RDBStorage]]:
    """Opens databases as any program that uses Optuna does, and closes them in the end."""
    opened: list[optuna.storages.RDBStorage] = []

    def open_storage(url: str) -> optuna.storages.RDBStorage:
        opened.append(optuna.storages.RDBStorage(url))
        return opened[-1]

    yield open_storage
    for storage in opened:
        storage.remove_session()
        storage.engine.dispose()


def begin(study: Study, proposal: Proposal) -> int:
    costs = costs_of(proposal.architecture)
    return study.begin(proposal, costs=costs, fits=True, seed=2**62 + 1, options=OPTIONS)


def complete(proposal: Proposal, accuracy: float = 1 / 3, **changes: Any) -> Trial:
    content: dict[str, Any] = {
        "proposal": proposal,
        "state": TrialState.COMPLETE,
        "metrics": {ACCURACY.name: accuracy, "loss": 0.1 + 0.2},
        "costs": costs_of(proposal.architecture),
        "fits": True,
        "seed": 2**62 + 1,
        "curve": ((0, {ACCURACY.name: 0.1, "loss": float("inf")}), (1, {ACCURACY.name: 1 / 3})),
        "seconds": 1.5,
    }
    return Trial(**{**content, **changes})


def failed(proposal: Proposal) -> Trial:
    return complete(proposal, state=TrialState.FAILED, metrics={}, curve=(), reason="ValueError: no")


def test_what_is_written_is_read_back_exactly(tmp_path: Path) -> None:
    proposals = [Proposal(0, DEEP), Proposal(1, FLAT, fidelity=0.25, parent=0, resume_from=0)]
    trials = [complete(proposals[0]), failed(proposals[1])]
    with open_study(tmp_path, settings()) as study:
        for trial in trials:
            begin(study, trial.proposal)
            study.finish(trial)
        written = study.history()
    with open_study(tmp_path, settings()) as study:
        assert study.history() == written == History(ACCURACY, tuple(trials))
        assert study.history()[0].seconds == 1.5
        assert study.history()[0].started > 1.7e9
        assert study.proposals() == tuple(proposals)
        assert study.unfinished() == ()


def test_a_proposal_is_on_disk_before_it_runs(study: Study) -> None:
    begin(study, Proposal(0, DEEP, parent=None))
    with read_study(study.directory) as reader:
        assert reader.unfinished() == (Proposal(0, DEEP),)
        assert len(reader.history()) == 0


def test_a_reader_sees_what_is_finished_meanwhile(study: Study) -> None:
    with read_study(study.directory) as reader:
        assert reader.settings == study.settings
        for number in range(3):
            begin(study, Proposal(number, FLAT))
            assert len(reader.history()) == number
            study.finish(complete(Proposal(number, FLAT)))
            assert reader.history() == study.history()
        with pytest.raises(StudyError, match="opened to be read"):
            begin(reader, Proposal(3, FLAT))


def test_reads_and_writes_do_not_grow_with_the_history(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    rows: list[int] = []
    build = optuna.storages.RDBStorage._build_frozen_trial_from_trial_model

    def counted(self: Any, model: Any) -> Any:
        rows.append(model.number)
        return build(self, model)

    monkeypatch.setattr(optuna.storages.RDBStorage, "_build_frozen_trial_from_trial_model", counted)
    statements: list[str] = []
    event.listen(study._storage.engine, "before_cursor_execute", lambda *args: statements.append(args[2]))
    per_trial: list[int] = []
    with read_study(study.directory) as reader:
        for number in range(6):
            before = len(statements)
            begin(study, Proposal(number, FLAT))
            study.finish(complete(Proposal(number, FLAT)))
            per_trial.append(len(statements) - before)
            rows.clear()
            assert len(reader.history()) == number + 1
            assert rows == [number]
    assert max(per_trial) == per_trial[1]


def test_a_running_trial_of_a_dead_driver_is_to_be_run_again(
    tmp_path: Path, optuna_storage: Callable[[str], optuna.storages.RDBStorage]
) -> None:
    with open_study(tmp_path, settings()) as study:
        for number in range(3):
            begin(study, Proposal(number, FLAT))
        study.finish(complete(Proposal(1, FLAT)))
    with open_study(tmp_path, settings()) as study:
        assert [proposal.number for proposal in study.unfinished()] == [0, 2]
        assert [trial.number for trial in study.history()] == [1]
        assert begin(study, Proposal(0, FLAT)) == 1
        study.finish(complete(Proposal(0, FLAT), 0.75))
        assert study.history()[0].metrics[ACCURACY.name] == 0.75
    with read_study(tmp_path) as reader:
        assert reader.unfinished() == (Proposal(2, FLAT),)
        assert [trial.complete for trial in reader.history()] == [True, True]
    rows = optuna.load_study(study_name="netwright", storage=optuna_storage(study.url)).trials
    assert [row.state.name for row in rows] == ["FAIL", "COMPLETE", "FAIL", "COMPLETE"]
    assert [row.user_attrs["proposal"] for row in rows] == [0, 1, 2, 0]
    assert rows[0].user_attrs["reason"] == "interrupted: the search was killed while it ran; run again"


def test_optuna_opens_our_study(
    study: Study, optuna_storage: Callable[[str], optuna.storages.RDBStorage]
) -> None:
    begin(study, Proposal(0, DEEP))
    study.report(0, 0, 0.25)
    study.report(0, 1, 0.5)
    study.finish(complete(Proposal(0, DEEP), 0.5))
    begin(study, Proposal(1, FLAT))
    study.finish(failed(Proposal(1, FLAT)))
    begin(study, Proposal(2, FLAT))
    study.finish(complete(Proposal(2, FLAT), 0.75))
    found = optuna.load_study(study_name="netwright", storage=optuna_storage(study.url))
    assert found.direction is optuna.study.StudyDirection.MAXIMIZE
    assert found.metric_names == [ACCURACY.name]
    assert found.best_trial.user_attrs["proposal"] == 2
    first, second, _ = found.trials
    assert first.params == dict(DEEP.choices)
    assert second.params == dict(FLAT.choices)
    assert first.distributions["width"] == optuna.distributions.CategoricalDistribution(OPTIONS["width"])
    assert first.intermediate_values == {0: 0.25, 1: 0.5}
    assert first.value == 0.5
    assert first.user_attrs["cost.macs"] == 40_000
    assert first.user_attrs["metric.loss"] == 0.1 + 0.2
    assert second.state is optuna.trial.TrialState.FAIL
    assert second.user_attrs["reason"] == "ValueError: no"
    assert found.user_attrs["netwright"]["space"] == SPACE.id
    figure = optuna.visualization.plot_optimization_history(found)
    assert list(figure.data[0].y) == [0.5, 0.75]
    optuna.visualization.plot_intermediate_values(found)
    optuna.visualization.plot_parallel_coordinate(found)


def test_nothing_is_printed(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    level = optuna.logging.get_verbosity()
    with open_study(tmp_path, settings()) as study:
        begin(study, Proposal(0, FLAT))
        study.finish(complete(Proposal(0, FLAT)))
    assert capfd.readouterr() == ("", "")
    assert optuna.logging.get_verbosity() == level


def test_the_database_is_in_wal_mode_and_flushed_at_each_commit(study: Study) -> None:
    with study._storage.engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2  # FULL


def test_other_settings_are_refused_one_by_one(tmp_path: Path) -> None:
    open_study(tmp_path, settings()).close()
    changed = settings(seed=8, budget={"macs": 5, "params": 6})
    with pytest.raises(StudyError) as caught:
        open_study(tmp_path, changed)
    message = str(caught.value)
    assert "budget.macs: the study has 10000000, this call has 5" in message
    assert "budget.params: the study has nothing, this call has 6" in message
    assert "seed: the study has 7, this call has 8" in message
    assert "another run directory" in message
    open_study(tmp_path, settings()).close()  # the refusal has released the lock


def test_a_second_driver_is_refused_while_the_first_lives(study: Study) -> None:
    with pytest.raises(StudyError, match=r"another search is running.*process \d+ on "):
        open_study(study.directory, settings())
    study.close()
    open_study(study.directory, settings()).close()


def test_a_network_file_system_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = tmp_path / "mountinfo"
    table.write_text("21 1 254:0 / / rw - nfs4 filer:/ rw\n")
    monkeypatch.setattr(filesystems_module, "MOUNTS", table)
    with pytest.raises(StudyError, match="network file system"):
        open_study(tmp_path / "run", settings())
    assert not (tmp_path / "run" / "study.db").exists()


@pytest.mark.parametrize("name", ["with space", "br{ace}s 100% ä q?x=1#y"])
def test_odd_directory_names(tmp_path: Path, name: str) -> None:
    with open_study(tmp_path / name, settings()) as study:
        begin(study, Proposal(0, FLAT))
        assert study.url == f"sqlite:///{tmp_path / name / 'study.db'}"
    assert (tmp_path / name / "study.db").stat().st_size > 0
    with read_study(tmp_path / name) as study:
        assert len(study.proposals()) == 1


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "study.db").write_text("once upon a time, there was no database here\n" * 50)
    with pytest.raises(StudyError, match=r"study\.db: cannot be opened .*\(file is not a database\)"):
        open_study(tmp_path, settings())


def test_no_study_to_read(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match=r"expected a run directory with study\.db, found none"):
        read_study(tmp_path)
    assert not (tmp_path / "study.db").exists()
    sqlite3.connect(tmp_path / "study.db").close()
    with pytest.raises(StudyError, match="has no study named 'netwright'"):
        read_study(tmp_path)


def test_a_study_of_somebody_else_is_left_alone(
    tmp_path: Path, optuna_storage: Callable[[str], optuna.storages.RDBStorage]
) -> None:
    storage = optuna_storage(f"sqlite:///{tmp_path / 'study.db'}")
    foreign = optuna.create_study(storage=storage, study_name="netwright", direction="maximize")
    foreign.add_trial(optuna.trial.create_trial(value=1.0))
    with pytest.raises(StudyError, match="has trials that netwright did not make"):
        open_study(tmp_path, settings())


def test_a_study_whose_making_was_cut_off_is_made_again(
    tmp_path: Path, optuna_storage: Callable[[str], optuna.storages.RDBStorage]
) -> None:
    storage = optuna_storage(f"sqlite:///{tmp_path / 'study.db'}")
    optuna.create_study(storage=storage, study_name="netwright", direction="maximize")
    with pytest.raises(StudyError, match="not yet begun"):
        read_study(tmp_path)
    with open_study(tmp_path, settings()) as study:
        assert study.proposals() == ()


def test_a_study_by_url_belongs_to_one_run_directory(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'shared.db'}"
    with open_study(tmp_path / "one", settings(), url=url, name="first") as study:
        begin(study, Proposal(0, FLAT))
        with pytest.raises(StudyError, match="belongs to another run directory"):
            open_study(tmp_path / "two", settings(), url=url, name="first")
        with open_study(tmp_path / "two", settings(seed=9), url=url, name="second") as other:
            assert other.proposals() == ()
    (tmp_path / "one").rename(tmp_path / "moved")
    with open_study(tmp_path / "moved", settings(), url=url, name="first") as study:
        assert len(study.unfinished()) == 1
    with read_study(tmp_path / "anywhere", url=url, name="first") as study:
        assert len(study.proposals()) == 1


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "not a url"])
def test_urls_that_keep_nothing(tmp_path: Path, url: str) -> None:
    with pytest.raises(StudyError, match="storage: expected a"):
        open_study(tmp_path, settings(), url=url)


def test_a_missing_database_driver_is_named(tmp_path: Path) -> None:
    pytest.importorskip("sqlalchemy")
    try:
        import psycopg2  # type: ignore[import-not-found, import-untyped, unused-ignore]  # noqa: F401
    except ImportError:
        with pytest.raises(MissingDependencyError, match=r"ada:\*\*\*@host.*pip install psycopg2-binary"):
            open_study(tmp_path, settings(), url="postgresql://ada:secret@host/studies")
    else:
        pytest.skip("psycopg2 is installed here")


def test_a_trial_that_another_program_ended_stops_the_search(
    study: Study, optuna_storage: Callable[[str], optuna.storages.RDBStorage]
) -> None:
    begin(study, Proposal(0, FLAT))
    found = optuna.load_study(study_name="netwright", storage=optuna_storage(study.url))
    found.tell(0, state=optuna.trial.TrialState.FAIL)
    with pytest.raises(StudyError, match="another program has ended a running trial"):
        study.finish(complete(Proposal(0, FLAT)))
    study.close()
    with open_study(study.directory, settings()) as again:
        assert again.unfinished() == (Proposal(0, FLAT),)


def test_a_full_disk_is_an_error_with_the_remedy(study: Study) -> None:
    begin(study, Proposal(0, FLAT))
    with study._storage.engine.connect() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
    limit = f"PRAGMA max_page_count={pages}"
    event.listen(study._storage.engine, "checkout", lambda connection, *rest: connection.execute(limit))
    huge = {f"m{number}": float(number) for number in range(2000)}
    with pytest.raises(StudyError, match=r"cannot be written \(database or disk is full\).*continues"):
        study.finish(complete(Proposal(0, FLAT), curve=tuple((step, huge) for step in range(5))))
    study.close()
    with open_study(study.directory, settings()) as again:
        assert again.unfinished() == (Proposal(0, FLAT),)


def test_stops_are_kept_in_order(study: Study) -> None:
    study.record_stop({"reason": "deadline", "proposals": 3})
    study.record_stop({"reason": "trials", "proposals": 5})
    with read_study(study.directory) as reader:
        assert [stop["reason"] for stop in reader.stops()] == ["deadline", "trials"]
        assert [stop["proposals"] for stop in reader.stops()] == [3, 5]
        assert all(stop["time"] > 1.7e9 for stop in reader.stops())
