"""The rows on which teacher and labels disagree most, as a part of the page."""

from collections.abc import Mapping, Sequence
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


def noise_items(rows: Sequence[Sequence[str]]) -> list[list[str]]:
    """Each row as lines of text: where it stands with both answers, then its texts."""
    return [_lines(dict(zip(rows[0], row, strict=False))) for row in rows[1:]]


def _lines(row: Mapping[str, str]) -> list[str]:
    answer = f"label {row['label']}, teacher {row['teacher']}"
    if row["probability"]:
        answer += f" (it gives the label {row['probability']})"
    file, name = (f", {row[key]}" if row.get(key) else "" for key in ("file", "id"))
    place = f"{row['split']}{file}, line {row['line']}{name}"
    texts = [_short(text) for text in (row["text_a"], row["text_b"]) if text]
    return [f"{place}: {answer}", *texts]


def _short(text: str, limit: int = 120) -> str:
    return text if len(text) <= limit else f"{text[:limit]}…"
