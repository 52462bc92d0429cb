"""The report of a search: one self-contained HTML file."""

from netwright.report.content import Accuracy, Candidate, Example, Front, ReportContent, Snippet
from netwright.report.html import render_report, write_report
from netwright.report.pareto import pareto_front

__all__ = [
    "Accuracy",
    "Candidate",
    "Example",
    "Front",
    "ReportContent",
    "Snippet",
    "pareto_front",
    "render_report",
    "write_report",
]
