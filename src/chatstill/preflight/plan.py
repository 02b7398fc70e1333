"""The plan of a run as data, and its rendering for a terminal or a log."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..errors import Problem, shown
from ..figures import parameter_count

if TYPE_CHECKING:
    from rich.console import RenderableType

Row = tuple[str, str]
PHASE = "phase: "  # opens the title of a phase's section


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
    data_report: dict[str, Any] = field(default_factory=dict)


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
            table.add_row(Text(f"  {label}", style="dim"), Text(shown(value, lines=True)))
    warnings = [
        Text.assemble(("warning: ", "bold yellow"), str(problem)) for problem in plan.warnings
    ]
    return Group(table, *warnings)


def network_rows(
    role: str,
    *,
    layers: int,
    width: int | None,
    heads: int | None,
    parameters: int,
    source: str = "",
) -> list[Row]:
    """One row that describes a network; what a model of a user's own does not have is left out."""
    parts = [f"{layers} layers" if layers else "", f"width {width}" if width else ""]
    parts += [f"{heads} heads" if heads else "", f"{parameter_count(parameters)} parameters"]
    text = ", ".join(part for part in parts if part)
    return [(role, f"{text}; {source}" if source else text)]
