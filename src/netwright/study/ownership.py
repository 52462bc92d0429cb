"""Which run directory a study in a database server belongs to.

The lock file of a run directory keeps two searches apart only if both use that directory. A study on a server
could be opened from two directories, each with its own lock and its own checkpoints; so the first directory
leaves a token in the study and in a file of its own, and any other directory is refused.
"""

from __future__ import annotations

import json
import secrets
from pathlib import Path

from optuna.storages import RDBStorage

from netwright.errors import StudyError

FILE = "study.json"
_TOKEN = "token"


def claim(directory: Path, storage: RDBStorage, name: str) -> None:
    """Bind a study to a run directory, or insist that it is bound to this one.

    A run directory that was moved keeps its file, hence its study.

    Args:
        directory: the run directory.
        storage: the database.
        name: name of the Optuna study.

    Raises:
        StudyError: if the study belongs to another run directory.
    """
    study_id = storage.get_study_id_from_name(name)
    stored = storage.get_study_user_attrs(study_id).get(_TOKEN)
    path = directory / FILE
    held = json.loads(path.read_text(encoding="utf-8")).get(_TOKEN) if path.exists() else None
    if stored is None:
        # The file first: a crash in between leaves a file without a study, which the next call overwrites.
        token = secrets.token_hex(8)
        path.write_text(json.dumps({"study": name, _TOKEN: token}) + "\n", encoding="utf-8")
        storage.set_study_user_attr(study_id, _TOKEN, token)
    elif held != stored:
        raise StudyError(
            f"{directory}: the study {name!r} of this database belongs to another run directory, which holds "
            f"its checkpoints and its {FILE}; use that directory, or another name for a new study"
        )
