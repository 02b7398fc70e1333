"""The data report as a part of the page: train and dev side by side, and the unknown words."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from ..disk.json_file import JsonFault, read_object
from ..figures import percent
from .table import Cell, Table
from .warned import in_one_line

KINDS = {
    "emoji": "rows with emoji",
    "full_width": "rows with full-width characters",
    "full_width_alphanumeric": "… with full-width letters or digits",
    "traditional": "rows with traditional characters",
    "zero_width": "rows with zero-width characters",
    "control": "rows with control characters",
    "replacement": "rows with U+FFFD",
}
MOST_LABELS = 12
Part = Mapping[str, Any]


def data_part(report: Part) -> dict[str, Any]:
    """What the page shows of a report, empty without one."""
    if not report:
        return {}
    found = report["dev_in_train"]
    return {
        "table": _table(report),
        "overlap": f"Of the dev rows {percent(found['pairs']['share'])} have all texts of a training "
        f"row, {percent(found['queries']['share'])} its first text.",
        "unknown": [
            (item["text"], int(item["count"])) for item in report["train"]["unknown"]["commonest"]
        ],
        "warnings": [in_one_line(text) for text in report.get("warnings") or ()],
    }


def read_data_report(path: Path) -> dict[str, Any]:
    """``data_report.json`` of a run; empty where there is none.

    Raises:
        JsonFault: it is damaged, or not what this version writes.
        OSError: it cannot be read.
    """
    if not path.is_file():
        return {}
    found = read_object(path)
    try:
        data_part(found)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError):
        raise JsonFault("does not hold what a run writes") from None
    return found


def _table(report: Part) -> Table:
    """Columns train and dev; kinds of characters that neither holds are left out."""
    splits = [report["train"], report["dev"]]
    rows: list[list[Cell]] = []

    def add(name: str, cell: Callable[[Part], Cell]) -> None:
        rows.append([Cell(name), *(cell(split) for split in splits)])

    add("rows", lambda split: Cell(f"{split['rows']:,}"))
    labels = sorted({label for split in splits for label in split["labels"]}, key=_natural)
    for label in labels[:MOST_LABELS]:
        add(f"label {label}", partial(_label, label=label))
    if len(labels) > MOST_LABELS:
        rows.append([Cell(f"… and {len(labels) - MOST_LABELS} more labels"), Cell(""), Cell("")])
    add("tokens of a row, median", lambda split: _lengths(split["tokens"]["row"]))
    add("rows cut", lambda split: Cell(percent(split["tokens"]["share_of_rows_cut"])))
    for key, which in (("share_of_text_a_cut", "first"), ("share_of_text_b_cut", "second")):
        if all(split["tokens"].get(key) is not None for split in splits):  # older files lack them
            add(f"… {which} texts cut", partial(_cut_texts, key=key))
    add(
        "characters of the first text, median",
        lambda split: _lengths(split["characters"]["text_a"]),
    )
    if any(split["characters"]["text_b"]["longest"] for split in splits):
        add(
            "characters of the second text, median",
            lambda split: _lengths(split["characters"]["text_b"]),
        )
    add("exact duplicates", lambda split: _counted(split["duplicates"], "rows"))
    add("contradictory labels", _contradictory)
    add("unknown tokens", _unknown_share)
    for kind, name in KINDS.items():
        if any(split["kinds"][kind]["rows"] for split in splits):
            add(name, partial(_kind, kind=kind))
    return Table(["", "train", "dev"], rows, [False] * len(rows))


def _natural(label: str) -> tuple[int, float, str]:
    """Numbers by size, then words by the alphabet."""
    try:
        return 0, float(label), label
    except ValueError:
        return 1, 0.0, label


def _label(split: Part, label: str) -> Cell:
    found = split["labels"].get(label)
    return Cell("0") if found is None else Cell(f"{found['rows']:,}", percent(found["share"]))


def _kind(split: Part, kind: str) -> Cell:
    return Cell(percent(split["kinds"][kind]["share_of_rows"]))


def _cut_texts(split: Part, key: str) -> Cell:
    return Cell(percent(split["tokens"][key]))


def _lengths(found: Part) -> Cell:
    return Cell(
        f"{found['median']:,}", f"95 % ≤ {found['percentile_95']:,}, longest {found['longest']:,}"
    )


def _counted(found: Part, key: str) -> Cell:
    return Cell(f"{found[key]:,}", percent(found["share"]) if found[key] else "")


def _contradictory(split: Part) -> Cell:
    found = split["contradictions"]
    small = f"{found['rows']:,} rows, {percent(found['share'])}" if found["pairs"] else ""
    return Cell(f"{found['pairs']:,}", small)


def _unknown_share(split: Part) -> Cell:
    rows = "" if split["tokens"]["all_rows"] else f"of {split['tokens']['rows']:,} rows"
    return Cell(percent(split["unknown"]["share_of_tokens"]), rows)
