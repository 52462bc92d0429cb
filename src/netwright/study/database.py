"""The database below a study: an SQLite file with a write-ahead log, or a server by URL."""

from __future__ import annotations

import sqlite3
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import optuna
from optuna.storages import RDBStorage
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from netwright.errors import MissingDependencyError, StudyError
from netwright.study.filesystems import require_local

DATABASE = "study.db"
"""Name of the SQLite file in a run directory."""

DATABASE_ERRORS = (SQLAlchemyError, sqlite3.Error, optuna.exceptions.StorageInternalError)
"""What a broken, full or absent database raises."""

_BUSY_TIMEOUT = 60.0
"""Seconds to wait for another program that holds the file, such as a dashboard or a backup."""


def connect(directory: Path, url: str | None) -> RDBStorage:
    """Open the database of a study, and make its tables if they are missing.

    Args:
        directory: the run directory, which holds the SQLite file.
        url: another database, as SQLAlchemy writes it, e.g. ``postgresql://user@host/database``.

    Raises:
        StudyError: if it cannot be opened, or would be an SQLite file on a network file system.
        MissingDependencyError: if the driver of that database is not installed.
    """
    path = directory / DATABASE if url is None else _sqlite_path(url)
    where = shown(directory, url) if path is None else str(path)
    try:
        with quiet():
            if path is None:
                return RDBStorage(str(url), engine_kwargs={"pool_pre_ping": True})
            path = path.absolute()
            require_local(path)
            # The URL only tells which database this is: braces, ? and % of a path would mean something in it.
            return RDBStorage(f"sqlite:///{DATABASE}", engine_kwargs={"creator": lambda: _open_sqlite(path)})
    except ImportError as error:
        raise MissingDependencyError(
            f"{where}: the driver of this database is not installed ({error}); "
            "for PostgreSQL: pip install psycopg2-binary"
        ) from error
    except StudyError:
        raise
    except (*DATABASE_ERRORS, RuntimeError) as error:
        raise StudyError(f"{where}: cannot be opened as a study ({cause(error)})") from error


def shown(directory: Path, url: str | None) -> str:
    """Give the URL that other tools open, as it may be printed: with the password hidden.

    >>> shown(Path("/runs/digits"), "postgresql://ada:secret@host/studies")
    'postgresql://ada:***@host/studies'
    >>> shown(Path("/runs/digits"), None)
    'sqlite:////runs/digits/study.db'
    """
    if url is None:
        return f"sqlite:///{(directory / DATABASE).absolute()}"
    return make_url(url).render_as_string(hide_password=True)


def _sqlite_path(url: str) -> Path | None:
    """The file of an SQLite URL; None for another database."""
    try:
        parsed = make_url(url)
    except SQLAlchemyError as error:
        raise StudyError(
            f"storage: expected a URL such as postgresql://user@host/database, which {url!r} is not ({error})"
        ) from None
    if parsed.get_backend_name() != "sqlite":
        return None
    if not parsed.database or parsed.database == ":memory:":
        raise StudyError(f"storage: expected a database that outlives the process, got {url!r}")
    return Path(parsed.database)


def _open_sqlite(path: Path) -> sqlite3.Connection:
    """Open the file with a write-ahead log that is flushed to the disk at each commit.

    Without FULL a commit survives ``kill -9`` but not a power cut; with it a commit costs a millisecond or
    so more, which is nothing beside a trial.
    """
    connection = sqlite3.connect(path, timeout=_BUSY_TIMEOUT, check_same_thread=False)
    try:
        (mode,) = connection.execute("PRAGMA journal_mode=WAL").fetchone()
        if mode != "wal":
            raise StudyError(
                f"{path}: its file system cannot hold SQLite's write-ahead log (the mode stays {mode!r}); "
                "put the run directory on a local disk"
            )
        connection.execute("PRAGMA synchronous=FULL")
    except BaseException:
        connection.close()
        raise
    return connection


def disconnect(storage: RDBStorage) -> None:
    """Close every connection; a second time does nothing."""
    storage.remove_session()
    storage.engine.dispose()


@contextmanager
def quiet() -> Iterator[None]:
    """Keep Optuna's log lines and its warnings about experimental functions away from our users."""
    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            yield
    finally:
        optuna.logging.set_verbosity(level)


def cause(error: BaseException) -> str:
    """The innermost error in one line: that of the database, below Optuna's and SQLAlchemy's."""
    while error.__cause__ is not None:
        error = error.__cause__
    return " ".join(str(error).split()) or type(error).__name__
