"""Published and own measurements of whole search spaces, as values and as estimators."""

from netwright.estimators.tables.own import read_table
from netwright.estimators.tables.published import PUBLISHED, TABLES, load_table, tables_folder
from netwright.estimators.tables.table import Column, Table, latency_of
from netwright.estimators.tables.tabular import Tabular

__all__ = [
    "PUBLISHED",
    "TABLES",
    "Column",
    "Table",
    "Tabular",
    "latency_of",
    "load_table",
    "read_table",
    "tables_folder",
]
