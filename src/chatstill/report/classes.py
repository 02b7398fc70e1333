"""Figures class by class and the confusion matrix, as a part of the page."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

MOST_SQUARES = 25  # classes of a matrix that can be read
MOST_PAIRS = 10


def classes_section(judged: Mapping[str, Any], name: str = "") -> str:
    """The section; empty where ``metrics.json`` has no classes, as those of older versions.

    Args:
        judged: ``dev`` of ``metrics.json``.
        name: Of the network, for the title.
    """
    of = f" of the {name}" if name else ""
    table = judged.get("classes") or []
    if not table:
        return ""
    counts = judged.get("confusion") or []
    names = [row["label"] for row in table]
    matrix = _matrix(names, counts) if 1 < len(counts) <= MOST_SQUARES else ""
    pairs = _pairs(names, counts) if len(counts) > 2 else ""
    wide = " wide" if len(counts) > 6 else ""  # below the table, not beside it
    return (
        f'<section><h2>Classes{escape(of)}</h2><div class="classes{wide}"><div>{_table(table)}</div>'
        f"<div>{matrix}{pairs}</div></div></section>"
    )


def _table(table: Sequence[Mapping[str, Any]]) -> str:
    head = "".join(f"<th>{name}</th>" for name in ("precision", "recall", "F1", "rows", "called"))
    body = "".join(
        f"<tr><th>{escape(str(row['label']))}</th>"
        + "".join(f"<td>{_share(row[key])}</td>" for key in ("precision", "recall", "f1"))
        + f"<td>{row['rows']:,}</td><td>{row['predicted']:,}</td></tr>"
        for row in table
    )
    return f"<table><thead><tr><th>class</th>{head}</tr></thead><tbody>{body}</tbody></table>"


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _matrix(names: Sequence[str], counts: Sequence[Sequence[int]]) -> str:
    """Each square is coloured by its share of the rows of its label."""
    head = "".join(f"<th><span>{escape(name)}</span></th>" for name in names)
    body = ""
    for number, (name, row) in enumerate(zip(names, counts, strict=True)):
        total = max(sum(row), 1)
        squares = "".join(
            f'<td class="{"right" if place == number else "wrong"}" '
            f'style="--share:{count / total:.3f}">{count:,}</td>'
            for place, count in enumerate(row)
        )
        body += f"<tr><th>{escape(name)}</th>{squares}</tr>"
    return (
        '<table class="confusion"><caption>Rows: the label. Columns: what the network answers.</caption>'
        f"<thead><tr><th></th>{head}</tr></thead><tbody>{body}</tbody></table>"
    )


def _pairs(names: Sequence[str], counts: Sequence[Sequence[int]]) -> str:
    """The classes that are taken for another one most often."""
    wrong = [
        (count, names[at], names[taken])
        for at, row in enumerate(counts)
        for taken, count in enumerate(row)
        if at != taken and count
    ]
    most = sorted(wrong, key=lambda item: -item[0])[:MOST_PAIRS]
    items = "".join(
        f"<li>{escape(name)} taken for {escape(other)}: {count:,}</li>"
        for count, name, other in most
    )
    return f'<ul class="notes">{items}</ul>' if items else ""
