"""A run's results as one self-contained page, a Markdown table, or a table for the terminal."""

from .model import Measure, Report, ResultRow, Series
from .page import render_report
from .run import write_run_report
from .table import render_markdown_table, terminal_table

__all__ = [
    "Measure",
    "Report",
    "ResultRow",
    "Series",
    "render_markdown_table",
    "render_report",
    "terminal_table",
    "write_run_report",
]
