"""The rows on which teacher and labels disagree most, as a part of the page."""

from collections.abc import Sequence
from html import escape
from pathlib import Path

FILE = "label_noise.tsv"
SHOWN = 10


def read_noise(folder: Path) -> list[list[str]]:
    """The header and the first rows of a run's ``label_noise.tsv``; empty without one."""
    try:
        text = (folder / FILE).read_text(encoding="utf-8")
    except OSError:
        return []
    return [line.split("\t") for line in text.split("\n")[: SHOWN + 1] if line]


def noise_section(rows: Sequence[Sequence[str]]) -> str:
    """The section, empty without rows."""
    if len(rows) < 2:
        return ""
    head = "".join(f'<th scope="col">{escape(name.replace("_", " "))}</th>' for name in rows[0])
    body = "".join(
        "<tr>"
        + "".join(
            f'<td data-label="{escape(name)}"><span>{escape(_short(cell))}</span></td>'
            for name, cell in zip(rows[0], row, strict=False)
        )
        + "</tr>"
        for row in rows[1:]
    )
    return (
        "<details><summary>Rows on which teacher and label disagree most</summary>"
        f'<div class="texts"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
        f'<p class="soft">More in {FILE}; probability: what the teacher gives to the label.</p></details>'
    )


def _short(text: str, limit: int = 120) -> str:
    return text if len(text) <= limit else f"{text[:limit]}…"
