"""Devices, budgets and units: what a network may cost on a named target."""

from netwright.devices.budget import METRICS, Budget, Check, Limit, Verdict, budget_for, format_cost
from netwright.devices.catalog import DEVICES, Device, find_device
from netwright.devices.units import Quantity, format_bytes, format_count, parse_bytes, parse_count

__all__ = [
    "DEVICES",
    "METRICS",
    "Budget",
    "Check",
    "Device",
    "Limit",
    "Quantity",
    "Verdict",
    "budget_for",
    "find_device",
    "format_bytes",
    "format_cost",
    "format_count",
    "parse_bytes",
    "parse_count",
]
