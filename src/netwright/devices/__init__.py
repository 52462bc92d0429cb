"""Devices, budgets and units: what a network may cost on a named target."""

from netwright.devices.budget import METRICS, Budget, Check, Limit, Verdict, budget_for, format_cost
from netwright.devices.catalog import DEVICES, Device, find_device
from netwright.devices.latency import load_latency, read_latency, write_latency
from netwright.devices.npu import NpuTarget
from netwright.devices.units import (
    Quantity,
    format_bytes,
    format_count,
    format_time,
    parse_bytes,
    parse_count,
    parse_time,
)

__all__ = [
    "DEVICES",
    "METRICS",
    "Budget",
    "Check",
    "Device",
    "Limit",
    "NpuTarget",
    "Quantity",
    "Verdict",
    "budget_for",
    "find_device",
    "format_bytes",
    "format_cost",
    "format_count",
    "format_time",
    "load_latency",
    "parse_bytes",
    "parse_count",
    "parse_time",
    "read_latency",
    "write_latency",
]
