"""Seeded bugs that the tests must find: ``make mutants``.

Each mutant of ``catalog.py`` is a small wrong edit of one file. It is made in a temporary copy of ``src``
that stands before the installed package on the path, so the working tree is never touched; then the tests
that it names must fail. All of these tests must also pass on an unchanged copy.

The run fails if a mutant survives, if its old text is not in its file exactly once (the code has moved on, so
bring the mutant along), or if its tests cannot be run.

    python -m mutants.run                 all
    python -m mutants.run -k memory       those whose file or description contains a word
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from mutants.catalog import MUTANTS
from mutants.mutant import Mutant

ROOT = Path(__file__).resolve().parents[1]
TIMEOUT = 180
"""Seconds after which the tests of a mutant are taken for an endless loop, which is a failure too."""

PASSED, FAILED = 0, 1
"""Exit codes of pytest; all others mean that the tests did not run."""


@dataclass(frozen=True)
class Result:
    """How the tests of a mutant ended.

    Attributes:
        mutant: the mutant.
        killed: whether the tests found it.
        note: what else is to be said.
        seconds: time that the tests took.
        output: of pytest, where it did not find the mutant.
    """

    mutant: Mutant
    killed: bool
    note: str
    seconds: float = 0.0
    output: str = ""


def run_tests(package: Path, tests: Sequence[str], timeout: float = TIMEOUT) -> tuple[int | None, str]:
    """Run tests against a copy of the package.

    Args:
        package: folder that holds ``netwright``.
        tests: files, classes and functions for pytest; slow ones are left out.
        timeout: in seconds.

    Returns:
        Exit code, or None if it did not end in time, and output.
    """
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(package), str(ROOT / "mutants")]),
        "HYPOTHESIS_STORAGE_DIRECTORY": str(package.parent / "hypothesis"),
    }
    plugins = ["-p", "no:cacheprovider", "-p", "hypothesis_profile", "--hypothesis-profile=mutants"]
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-x",
        "-q",
        "-m",
        "not slow",
        *plugins,
        "--basetemp",
        str(package.parent / "tmp"),
    ]
    process = subprocess.Popen(
        [*command, *tests],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        output, _ = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        output, _ = process.communicate()
        return None, output
    return process.returncode, output


def copied(folder: Path) -> Path:
    """A copy of the package in a folder; compiled files come along, as they still fit."""
    return Path(shutil.copytree(ROOT / "src", folder / "src"))


def check_shadowing(package: Path) -> None:
    """Make sure that tests see the copy and not the installed package."""
    code = "import netwright; print(netwright.__file__)"
    environment = {**os.environ, "PYTHONPATH": str(package)}
    seen = subprocess.run(
        [sys.executable, "-c", code], env=environment, cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.strip()
    if not Path(seen).is_relative_to(package):
        raise SystemExit(f"mutants: the copy in {package} does not shadow the package at {seen}")


def try_mutant(mutant: Mutant) -> Result:
    """Make the wrong edit in a copy and run its tests."""
    started = time.monotonic()
    text = (ROOT / "src" / "netwright" / mutant.file).read_text(encoding="utf-8")
    times = text.count(mutant.old)
    if times != 1:
        return Result(mutant, False, f"expected its old text once in {mutant.file}, found it {times} times")
    with tempfile.TemporaryDirectory(prefix="mutant-") as folder:
        package = copied(Path(folder))
        target = package / "netwright" / mutant.file
        target.write_text(text.replace(mutant.old, mutant.new), encoding="utf-8")
        code, output = run_tests(package, mutant.tests.split())
    seconds = time.monotonic() - started
    if code is None:
        return Result(mutant, True, f"no end after {TIMEOUT} s", seconds)
    if code == FAILED:
        return Result(mutant, True, "", seconds)
    if code == PASSED:
        return Result(mutant, False, "survived", seconds)
    return Result(mutant, False, f"its tests did not run (pytest ended with {code})", seconds, output)


def check_unchanged(mutants: Sequence[Mutant]) -> str | None:
    """Run all tests that mutants name on an unchanged copy; gives the output if they do not pass."""
    tests = list(dict.fromkeys(test for mutant in mutants for test in mutant.tests.split()))
    with tempfile.TemporaryDirectory(prefix="mutant-") as folder:
        package = copied(Path(folder))
        check_shadowing(package)
        code, output = run_tests(package, tests, timeout=4 * TIMEOUT)
    return None if code == PASSED else output


def main() -> int:
    """Try the mutants; the exit code says whether all were found."""
    parser = argparse.ArgumentParser(description="Seeded bugs that the tests must find.")
    parser.add_argument("-k", dest="word", default="", help="only mutants whose file or description has it")
    parser.add_argument("-j", dest="jobs", type=int, default=2, help="how many at once")
    options = parser.parse_args()
    mutants = [mutant for mutant in MUTANTS if options.word in f"{mutant.file} {mutant.wrong}"]
    if not mutants:
        parser.error(f"no mutant has {options.word!r} in its file or description")
    started = time.monotonic()
    with ThreadPoolExecutor(options.jobs) as pool:
        unchanged = pool.submit(check_unchanged, mutants)
        results = []
        for result in pool.map(try_mutant, mutants):
            results.append(result)
            verdict = "killed  " if result.killed else "SURVIVED" if not result.output else "BROKEN  "
            note = f"  ({result.note})" if result.note else ""
            print(f"{verdict} {result.seconds:5.1f} s  {result.mutant.file:32} {result.mutant.wrong}{note}")
            if result.output:
                print(result.output[-2000:])
        faults = unchanged.result()
    killed = sum(result.killed for result in results)
    print()
    if faults is not None:
        print("The tests do not pass without a mutant, so nothing is shown by their failing:")
        print(faults[-4000:])
    print(f"{time.monotonic() - started:.0f} s")
    print(f"{killed} passed, {len(results) - killed + (faults is not None)} failed")
    return 0 if killed == len(results) and faults is None else 1


if __name__ == "__main__":
    raise SystemExit(main())
