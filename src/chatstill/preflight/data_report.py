"""The data report: what two surveys found, as ``data_report.json``, as lines of the plan, as warnings."""

from __future__ import annotations

import json
from difflib import get_close_matches
from functools import partial
from typing import Any

from ..data.encoded import Lengths
from ..errors import Problem, shown
from ..figures import counted, percent
from ..tasks.base import Task
from ..text.characters import KINDS
from .repeats import contradicting, overlap, repeats
from .survey import Survey
from .unknown_tokens import UNKNOWN, unknown_problem, unmeant

FORMAT = 1
NUM_UNKNOWN = 20
MOST_LABELS = 1000
# Above these shares something is likely wrong.
DEV_IN_TRAIN = 0.01
CONTRADICTING = 0.01
RARE_CLASS = 0.01
ALNUM = 0.01

Row = tuple[str, str]
NAMES = {
    "emoji": "emoji",
    "full_width": "full-width",
    "full_width_alphanumeric": "full-width letters or digits",
    "traditional": "traditional",
    "zero_width": "zero-width",
}


def data_report(
    task: Task,
    train: Survey,
    dev: Survey,
    files: dict[str, str],
    *,
    normalizes: bool = False,
    words: bool = False,
) -> dict[str, Any]:
    """Everything that is known of the data before training; docs/data_report.md has the schema.

    Args:
        task: Whose files.
        train: The survey of the training rows.
        dev: Of the dev rows.
        files: Paths of ``train`` and ``dev``.
        normalizes: Whether the tokenizer applies NFKC.
        words: Whether it knows whole words, those of training texts.
    """
    report: dict[str, Any] = {"format": FORMAT, "task": task.name}
    for name, found in (("train", train), ("dev", dev)):
        report[name] = _split(found, files[name])
    report["dev_in_train"] = overlap(dev, train)
    told = warnings(report, task, normalizes=normalizes, words=words)
    report["warnings"] = [str(problem) for problem in told]
    return report


def _split(found: Survey, file: str) -> dict[str, Any]:
    tokens, characters = found.tokens, found.characters
    kinds = {
        kind: {
            "characters": int(characters.characters[number]),
            "share_of_characters": _share(characters.characters[number], characters.num_characters),
            "rows": int(characters.rows[number]),
            "share_of_rows": _share(characters.rows[number], found.num_rows),
        }
        for number, kind in enumerate(KINDS)
    }
    labelled = found.num_rows - found.unlabelled
    return {
        "file": file,
        "rows": found.num_rows,
        "rows_without_label": found.unlabelled,
        "labels": {
            label: {"rows": count, "share": _share(count, labelled)}
            for label, count in found.label_values.most_common(MOST_LABELS)
        },
        "characters": {
            "total": characters.num_characters,
            "text_a": found.text_a.summary(),
            "text_b": found.text_b.summary(),
        },
        "tokens": {
            "rows": tokens.rows,
            "all_rows": not found.token_sample,
            "total": tokens.total,
            "row": tokens.row.summary(),
            "text_a": tokens.text_a.summary(),
            "text_b": tokens.text_b.summary(),
            "share_of_rows_cut": _share(tokens.cut, tokens.rows),
            "share_of_text_a_cut": _share_or_none(tokens.cut_a, tokens.rows),
            "share_of_text_b_cut": _share_or_none(tokens.cut_b, tokens.second),
        },
        "unknown": {
            "tokens": tokens.unknown,
            "share_of_tokens": _share(tokens.unknown, tokens.total),
            "share_of_rows": _share(tokens.unknown_rows, tokens.rows),
            "commonest": [
                {"text": text, "count": count}
                for text, count in sorted(
                    tokens.words.items(), key=lambda item: (-item[1], item[0])
                )[:NUM_UNKNOWN]
            ],
        },
        "kinds": kinds,
        **repeats(found),
    }


def warnings(
    report: dict[str, Any], task: Task, *, normalizes: bool = False, words: bool = False
) -> list[Problem]:
    """What is likely wrong with the data; ``normalizes`` and ``words`` as in ``data_report``."""
    found = []

    def warn(place: str, message: str, hint: str, *, code: str) -> None:
        found.append(Problem(place, message, hint, severity="warning", code=code))

    for name in ("train", "dev"):
        split = report[name]
        against, unknown = split["contradictions"], split["unknown"]
        if against["share"] >= CONTRADICTING and task.labels.kind != "regression":
            found.append(contradicting(name, against))
        if unknown["share_of_tokens"] * unmeant(unknown) >= UNKNOWN:
            found.append(unknown_problem(name, unknown, words))
        rare = [
            label
            for label, of in split["labels"].items()
            if task.label_words and of["share"] < RARE_CLASS
        ]
        if rare and len(split["labels"]) <= 20:
            shares = ", ".join(
                f"{label} ({split['labels'][label]['rows']:,})" for label in rare[:8]
            )
            hint = 'To let them count more: "class_weights": "balanced".' if name == "train" else ""
            slips = _slips(report, rare) if name == "train" else {}
            if slips:
                told = ", ".join(f"{slip!r} for {meant!r}" for slip, meant in slips.items())
                rest = [label for label in split["labels"] if label not in slips]
                names = json.dumps(rest, ensure_ascii=False)
                hint = f'Slips ({told})? With "labels": {names} in the block data their lines are told.'
            warn(
                name,
                f"labels of less than {RARE_CLASS:.0%} of the rows: {shares}",
                hint,
                code="data.rare-labels",
            )
        broken = split["kinds"]["replacement"]["rows"]
        if broken:
            warn(
                name,
                f"{broken:,} row{'s hold' if broken > 1 else ' holds'} U+FFFD, the mark of bytes that "
                "were decoded wrongly",
                "Convert the original file again.",
                code="data.replacement-signs",
            )
    full = report["train"]["kinds"]["full_width_alphanumeric"]["share_of_rows"]
    unknown = report["train"]["unknown"]["share_of_tokens"]
    if full >= ALNUM and unknown > 0 and not normalizes:
        warn(
            "train",
            f"{percent(full)} of the rows hold full-width letters or digits",
            '"normalize": "nfkc" makes them plain ones, in the student\'s tokenizer too.',
            code="data.full-width-signs",
        )
    both = report["dev_in_train"]["pairs"]
    if both["share"] >= DEV_IN_TRAIN:
        warn(
            "dev",
            f"{percent(both['share'])} of the rows ({both['rows']:,}) have the texts of a training row: "
            "figures on dev are too good by as much as the network remembers",
            "Take them out of one of the files.",
            code="data.dev-rows-in-train",
        )
    return found


def _slips(report: dict[str, Any], rare: list[str]) -> dict[str, str]:
    """Rare names of train that no dev row has and that are spelt nearly as a common one: slip -> that one."""
    common = [label for label in report["train"]["labels"] if label not in rare]
    words = [label for label in rare if not any(map(str.isdigit, label))]  # 11 is no slip for 1
    near = {
        label: get_close_matches(label, common, n=1)
        for label in words
        if label not in report["dev"]["labels"]
    }
    return {label: names[0] for label, names in near.items() if names}


def plan_rows(
    report: dict[str, Any],
    lengths: Lengths,
    *,
    words: bool = False,
    lengths_are: str = "tokens",
) -> list[Row]:
    """The report in short, for the plan; ``lengths`` are what rows are cut to, and count so."""
    train, dev = report["train"], report["dev"]
    rows = [("task", report["task"])]
    for name in ("train", "dev"):
        labels = list(report[name]["labels"].items())
        counts = ", ".join(f"{label}: {of['rows']:,}" for label, of in sorted(labels[:8]))
        more = ", …" if len(labels) > 8 else ""
        text = f"{counted(report[name]['rows'], 'row')} of {report[name]['file']}"
        text += f" ({counts}{more})" if counts else ""
        if lacking := report[name]["rows_without_label"]:
            text += f", {lacking:,} without label"
        rows.append((name, shown(text)))
    row, tokens = train["tokens"]["row"], train["tokens"]
    rows.append(
        (
            "lengths",
            f"median {row['median']}, 95 % up to {row['percentile_95']}, longest {row['longest']:,} "
            f"{lengths_are}; {percent(tokens['share_of_rows_cut'])} of train's rows cut"
            f"{_limits(tokens, lengths)}",
        )
    )
    rows.append(("repeated", _both(train, dev, _repeated)))
    overlap_ = report["dev_in_train"]
    rows.append(
        (
            "dev in train",
            f"{percent(overlap_['pairs']['share'])} of dev rows by all texts, "
            f"{percent(overlap_['queries']['share'])} by the first text",
        )
    )
    rows.append(("unknown", _both(train, dev, partial(_unknown, words=words))))
    common = train["unknown"]["commonest"]
    if common:
        rows.append(("", ", ".join(f"{item['text']!r} {item['count']:,}" for item in common[:8])))
    rows.append(("characters", _both(train, dev, _kinds)))
    return rows


def _limits(tokens: dict[str, Any], lengths: Lengths) -> str:
    """What rows are cut to, and how many of their first and second texts to a length of their own."""
    sides = (
        ("first", lengths.max_query_length, tokens["share_of_text_a_cut"]),
        ("second", lengths.max_reply_length, tokens["share_of_text_b_cut"]),
    )
    named = [
        f"{percent(share)} of {name} texts to {most}"
        for name, most, share in sides
        if most is not None and share is not None
    ]
    return f" to {lengths.max_seq_length}" + (f": {', '.join(named)}" if named else "")


def _both(train: dict[str, Any], dev: dict[str, Any], words: Any) -> str:
    return f"train {words(train)}; dev {words(dev)}"


def _repeated(split: dict[str, Any]) -> str:
    return (
        f"{counted(split['duplicates']['rows'], 'row')} ({percent(split['duplicates']['share'])}), "
        f"{counted(split['contradictions']['pairs'], 'text')} with different labels"
    )


def _unknown(split: dict[str, Any], words: bool) -> str:
    rows = "" if split["tokens"]["all_rows"] else f" (of {split['tokens']['rows']:,} rows)"
    what = "words" if words else "tokens"
    return f"{percent(split['unknown']['share_of_tokens'])} of {what}{rows}"


def _kinds(split: dict[str, Any]) -> str:
    found = [
        f"{name} in {percent(split['kinds'][kind]['share_of_rows'])}"
        for kind, name in NAMES.items()
        if split["kinds"][kind]["rows"]
    ]
    return ", ".join(found) + " of rows" if found else "plain"


def _share_or_none(part: int | None, whole: int) -> float | None:
    return None if part is None else _share(part, whole)


def _share(part: float, whole: float) -> float:
    return float(part) / float(whole) if whole else 0.0
