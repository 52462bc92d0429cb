"""Comparisons of strategies on a table, where every answer is known, for ``netwright benchmark``."""

from netwright.pipeline.benchmark.job import BenchmarkProgress, benchmark
from netwright.pipeline.benchmark.settings import BenchmarkSettings, Contestant, read_contestants
from netwright.pipeline.benchmark.summary import BenchmarkResult, Row

__all__ = [
    "BenchmarkProgress",
    "BenchmarkResult",
    "BenchmarkSettings",
    "Contestant",
    "Row",
    "benchmark",
    "read_contestants",
]
