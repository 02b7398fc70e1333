"""The rows on which teacher and labels disagree most, as a part of the page."""

from collections.abc import Mapping, Sequence
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
    """The section, a list that wraps on any screen; empty without rows."""
    if len(rows) < 2:
        return ""
    items = "".join(_item(dict(zip(rows[0], row, strict=False))) for row in rows[1:])
    return (
        "<details><summary>Rows on which teacher and label disagree most</summary>"
        f'<ul class="notes">{items}</ul><p class="soft">More in {FILE}.</p></details>'
    )


def _item(row: Mapping[str, str]) -> str:
    answer = f"label {row['label']}, teacher {row['teacher']}"
    if row["probability"]:
        answer += f" (it gives the label {row['probability']})"
    texts = "".join(
        f"<br>{escape(_short(text))}" for text in (row["text_a"], row["text_b"]) if text
    )
    place = f"{row['split']}, line {row['line']}" + (f", {row['id']}" if row.get("id") else "")
    return f"<li>{escape(place)}: {escape(answer)}{texts}</li>"


def _short(text: str, limit: int = 120) -> str:
    return text if len(text) <= limit else f"{text[:limit]}…"
