"""The plan of a run as data, and its rendering for a terminal or a log."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ..errors import Problem

if TYPE_CHECKING:
    from rich.console import RenderableType

Row = tuple[str, str]


@dataclass(frozen=True)
class Section:
    """A titled block of (label, value) rows."""

    title: str
    rows: Sequence[Row]


@dataclass(frozen=True)
class Plan:
    """Everything that is printed before training starts."""

    sections: list[Section] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)


def plan_lines(plan: Plan) -> list[str]:
    """Plain lines, for logs and for output that is no terminal."""
    width = max((len(label) for section in plan.sections for label, _ in section.rows), default=0)
    lines = []
    for section in plan.sections:
        lines.append(section.title)
        for label, value in section.rows:
            first, *rest = value.splitlines() or [""]
            lines.append(f"  {label:<{width}}  {first}".rstrip())
            lines.extend(f"  {'':<{width}}  {line}" for line in rest)
    for problem in plan.warnings:
        lines.extend(f"warning: {problem}".splitlines())
    return lines


def plan_renderable(plan: Plan) -> RenderableType:
    """The same for a rich console; without colours and box lines it reads like ``plan_lines``."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for section in plan.sections:
        table.add_row(Text(section.title, style="bold cyan"), "")
        for label, value in section.rows:
            table.add_row(Text(f"  {label}", style="dim"), Text(value))
    warnings = [
        Text.assemble(("warning: ", "bold yellow"), str(problem)) for problem in plan.warnings
    ]
    return Group(table, *warnings)


def network_rows(
    role: str, *, layers: int, width: int, heads: int, parameters: int, source: str = ""
) -> list[Row]:
    """One row that describes a network."""
    text = f"{layers} layers, width {width}, {heads} heads, {parameters / 1e6:.1f} M parameters"
    return [(role, f"{text}; {source}" if source else text)]


def layer_map_rows(copied: Sequence[int], grouping: Sequence[Sequence[int]] = ()) -> list[Row]:
    """Layers to copy as a 0-based list and by 1-based name; modules and the layers they replace.

    Args:
        copied: 0-based teacher layer from which each student layer starts; empty if from elsewhere.
        grouping: 0-based teacher layers that each student layer replaces.
    """
    rows = []
    if copied:
        names = ", ".join(f"{own + 1} from {layer + 1}" for own, layer in enumerate(copied))
        rows.append(("layers to copy", f"{list(copied)} counted from 0; layer {names}"))
    for own, layers in enumerate(grouping):
        text = f"replaces teacher layer {_span(layers)} ({list(layers)} counted from 0)"
        rows.append((f"student layer {own + 1}", text))
    return rows


def phase_row(name: str, *, steps: int, epochs: float, learning_rate: float, train: str) -> Row:
    """One training phase."""
    text = f"{steps:,} steps, {epochs:g} epochs, learning rate {learning_rate:g}; trained: {train}"
    return f"phase {name}", text


def batch_row(per_process: int, processes: int = 1, accumulation: int = 1) -> Row:
    """The whole batch and what it is made of."""
    parts = [f"{per_process} rows"]
    if processes > 1:
        parts.append(f"{processes} processes")
    if accumulation > 1:
        parts.append(f"{accumulation} accumulated")
    total = per_process * processes * accumulation
    return "batch", f"{total} rows a step" + (f" = {' x '.join(parts)}" if len(parts) > 1 else "")


def cut_row(num_cut: int, num_rows: int) -> Row:
    """The share of rows that were cut to length."""
    share = num_cut / num_rows if num_rows else 0.0
    return "rows cut to length", f"{num_cut:,} of {num_rows:,} ({share:.1%})"


def duration(seconds: float) -> str:
    """``45 s``, ``12 min``, ``3 h 20 min``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"


def byte_size(size: float) -> str:
    """``820 kB``, ``43.5 MB``, ``1.2 GB``; decimal units."""
    for unit, factor in (("GB", 1e9), ("MB", 1e6)):
        if size >= factor:
            return f"{size / factor:.1f} {unit}"
    return f"{size / 1e3:.0f} kB"


def _span(layers: Iterable[int]) -> str:
    names = sorted(layer + 1 for layer in layers)
    if len(names) > 1 and names == list(range(names[0], names[-1] + 1)):
        return f"{names[0]} to {names[-1]}"
    return ", ".join(map(str, names))
