"""The main table: its cells once, and their rendering as HTML, Markdown or for a terminal."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import shown
from ..figures import decimals
from .model import Measure, Report, ResultRow

if TYPE_CHECKING:
    from rich.table import Table as RichTable

NOTHING = "–"


@dataclass(frozen=True)
class Cell:
    """A figure and what stands small beside it: an interval or a ratio."""

    text: str
    small: str = ""


@dataclass(frozen=True)
class Table:
    """Column titles and rows of cells; the first column holds the names."""

    columns: list[str]
    rows: list[list[Cell]]
    highlighted: list[bool]


def build_table(report: Report) -> Table:
    """Cells of the main table; columns that no row fills, and ratios of one row, are left out."""
    metrics = _keys(row.metrics for row in report.rows)
    latencies = _keys(row.latency_ms for row in report.rows)
    columns = ["model"]
    if any(row.parameters is not None for row in report.rows):
        columns.append("parameters")
    if any(row.size_mb is not None for row in report.rows):
        columns.append("size")
    columns += [report.metric_name(key) for key in metrics]
    columns += [f"ms, {key}" for key in latencies]
    compared = len(report.rows) > 1 and bool(latencies or (metrics and not report.lower_is_better))
    if compared:
        columns.append("ratio to teacher")
    reference = next((row for row in report.rows if row.name == report.reference), None)
    reference = reference or next(iter(report.rows), ResultRow(""))
    rows = []
    for row in report.rows:
        cells = [Cell(row.name)]
        if "parameters" in columns:
            cells.append(Cell(_millions(row.parameters)))
        if "size" in columns:
            cells.append(Cell(NOTHING if row.size_mb is None else f"{row.size_mb:.1f} MB"))
        cells += [_metric(row.metrics.get(key)) for key in metrics]
        cells += [Cell(_number(row.latency_ms.get(key))) for key in latencies]
        if compared:
            cells.append(_ratio(row, reference, report))
        rows.append(cells)
    return Table(columns, rows, [row.highlight for row in report.rows])


def render_markdown_table(report: Report) -> str:
    """The main table in Markdown, intervals and ratios in the cell."""
    table = build_table(report)
    lines = [_line(table.columns), _line(["---"] + ["---:"] * (len(table.columns) - 1))]
    for cells, highlighted in zip(table.rows, table.highlighted, strict=True):
        texts = [_beside(cell).replace("|", "\\|").replace("\n", " ") for cell in cells]
        if highlighted:
            texts[0] = f"**{texts[0]}**"
        lines.append(_line(texts))
    return "\n".join(lines) + "\n"


def terminal_table(report: Report) -> RichTable:
    """The main table for a rich console, networks side by side so that it fits 80 columns."""
    from rich import box
    from rich.table import Table as RichTable
    from rich.text import Text

    table = build_table(report)
    rich_table = RichTable(
        box=box.SIMPLE_HEAD,
        header_style="bold",
        padding=(0, 1),
        collapse_padding=True,
        pad_edge=False,
    )
    rich_table.add_column("", overflow="fold")
    for cells, highlighted in zip(table.rows, table.highlighted, strict=True):
        style = "bold cyan" if highlighted else None
        rich_table.add_column(
            Text(shown(cells[0].text)), justify="right", overflow="fold", style=style
        )
    for number, column in enumerate(table.columns[1:], start=1):
        texts = [
            Text.assemble(
                shown(row[number].text), (row[number].small and f"\n{row[number].small}", "dim")
            )
            for row in table.rows
        ]
        rich_table.add_row(Text(shown(column)), *texts)
    return rich_table


def _keys(mappings: Iterable[Iterable[str]]) -> list[str]:
    return list(dict.fromkeys(key for mapping in mappings for key in mapping))


def _metric(measure: Measure | None) -> Cell:
    if measure is None or not math.isfinite(measure.value):
        return Cell(NOTHING)
    if measure.low is None or measure.high is None:
        return Cell(decimals(measure.value), measure.beside)
    between = f"[{measure.low:.3f}, {measure.high:.3f}]"
    return Cell(f"{measure.value:.3f}", f"{between} {measure.beside}".rstrip())


def _ratio(row: ResultRow, teacher: ResultRow, report: Report) -> Cell:
    """The share of the teacher's main metric, and how many times faster at each setting."""
    student, of_teacher = row.metrics.get(report.metric()), teacher.metrics.get(report.metric())
    share = NOTHING
    if (
        not report.lower_is_better
        and student
        and of_teacher
        and of_teacher.value > 0
        and math.isfinite(student.value)
    ):
        share = (
            f"{100 * student.value / of_teacher.value:.1f} % {report.metric_name(report.metric())}"
        )
    faster = [
        f"{teacher.latency_ms[key] / own_time:.2f}×"
        for key, own_time in row.latency_ms.items()
        if own_time > 0 and teacher.latency_ms.get(key, 0) > 0
    ]
    return Cell(share, f"speed {', '.join(faster)}" if faster else "")


def _millions(count: int | None) -> str:
    if count is None:
        return NOTHING
    return f"{count / 1e6:.2f} M" if count >= 100_000 else f"{count:,}"


def _number(value: float | None) -> str:
    if value is None or not math.isfinite(value):
        return NOTHING
    return f"{value:.2f}" if value < 10 else f"{value:.1f}" if value < 100 else f"{value:.0f}"


def _beside(cell: Cell) -> str:
    if not cell.small:
        return cell.text
    return f"{cell.text} {cell.small}" if cell.small[0] == "[" else f"{cell.text}, {cell.small}"


def _line(texts: Iterable[str]) -> str:
    return f"| {' | '.join(texts)} |"
