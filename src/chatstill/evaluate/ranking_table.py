"""`chatstill evaluate … --ranking`: a model beside TF-IDF over the same candidates, of all questions."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import Problem, UserError
from ..tasks.all_questions import compare_rankers
from ..tasks.base import Groups, Split, Task
from ..tasks.ranking import group_table
from ..tasks.transfer import scored_rows
from .tf_idf import tf_idf

PLACE = "--ranking"


def check_rankable(task: Task, path: Path, split: Split, *, skips: bool) -> None:
    """A split's rows can be ranked and compared with TF-IDF; asked before they are scored.

    Raises:
        UserError: they have no groups, nothing tells which class is relevant, a row is one text, or no
            question has a relevant candidate and another one.
    """
    if not task.ranking:
        message = f"rows of the task {task.name} are not ranked: they have no groups"
        hint = 'Leave it out, or name the column of the questions: "group" in the block "data".'
        raise UserError(Problem(PLACE, message, hint, code="ranking.task-without-groups"))
    if task.ranked(np.zeros((1, task.labels.num_outputs)), np.zeros(1)) is None:
        message = "nothing tells which candidates are relevant"
        hint = 'Name their class: "positive_label"; numbers and sets of labels name none.'
        raise UserError(Problem(PLACE, message, hint, code="ranking.no-relevant-class"))
    labels, groups = [], []
    for row in scored_rows(task, path, split, True, skips=skips):
        if row.text_b is None:
            message = f"{path}: rows are one text, and TF-IDF compares a query and a reply"
            raise UserError(Problem(PLACE, message, code="ranking.one-text"))
        labels.append(row.label)
        groups.append(row.group or "")
    made_up = np.zeros((len(labels), task.labels.num_outputs))
    ranked = task.ranked(made_up, np.array(labels, dtype=np.float64))
    assert ranked is not None
    table = group_table(np.zeros(len(labels)), ranked[1], groups)
    if (table.positives == table.size).all():
        message = f"{path}: no question has both a relevant candidate and another one"
        hint = "There is no order to be judged. Leave it out, or score other rows."
        raise UserError(Problem(PLACE, message, hint, code="ranking.nothing-to-rank"))


def ranking_table(
    task: Task,
    path: Path,
    split: Split,
    scores: np.ndarray,
    labels: np.ndarray,
    groups: Groups,
    *,
    skips: bool,
) -> dict[str, Any]:
    """The figures, ready for JSON.

    Args:
        task: Whose rows are ranked (``check_rankable``).
        path: The file of the rows; its texts are read as they stand there.
        split: Its split.
        scores: (N, C) of the model, in the file's order.
        labels: (N,).
        groups: (N,).
        skips: Whether training rows without a label were left out.

    Returns:
        ``questions``, ``with_relevant``, ``larger`` (cut-off -> questions of more candidates), ``model`` and
        ``tf_idf`` (figures of all questions by name; ``tasks.all_questions`` defines them), ``difference``
        (``map``, ``interval``), ``words``, ``replies``.
    """
    ranked = task.ranked(scores, labels)
    assert ranked is not None and groups is not None
    read = scored_rows(task, path, split, True, skips=skips)
    texts = [(row.first_text, row.text_b or "") for row in read]
    plain = tf_idf(*zip(*texts, strict=True))
    found = compare_rankers(ranked[0], plain.scores, ranked[1], groups)
    return {
        "questions": found.questions,
        "with_relevant": found.with_relevant,
        "larger": {str(n): count for n, count in found.larger.items()},
        "model": found.model,
        "tf_idf": found.other,
        "difference": {"map": found.difference, "interval": list(found.interval)},
        "words": plain.words,
        "replies": plain.replies,
    }


def ranking_lines(table: Mapping[str, Any]) -> list[str]:
    """The table as lines of ``eval_results.txt``."""
    low, high = table["difference"]["interval"]
    larger = ", ".join(
        f"{n} ({count:,} have more candidates)" for n, count in table["larger"].items()
    )
    lines = [
        f"ranking = figures of all {table['questions']:,} questions; {table['with_relevant']:,} have a "
        "relevant candidate, the others count 0 here and are left out of map, mrr, p@1 and r@k above",
        f"ranking N = {larger}" if larger else "ranking N = none: every question has one candidate",
        f"TF-IDF = {table['words']}; fitted on the {table['replies']:,} distinct replies of these rows",
        f"{'of all questions':<20}{'model':>10}{'TF-IDF':>10}",
    ]
    for label, model, other in table_rows(table):
        lines.append(f"{label:<20}{model:>10.4f}{other:>10.4f}")
    lines.append(
        "P@N = share of all questions with a relevant candidate in the top N; PBT@N, PTB@N = with one that "
        "is in the top N of the model (PBT) or of TF-IDF (PTB) alone"
    )
    lines.append(
        f"MAP of all questions, model less TF-IDF = {table['difference']['map']:+.4f}  "
        f"(95 % interval {low:+.4f} to {high:+.4f}, paired by question)"
    )
    return lines


def table_rows(table: Mapping[str, Any]) -> list[tuple[str, float, float]]:
    """Name, model, TF-IDF; PBT@N stands in the model's column and PTB@N in that of TF-IDF."""
    model, other = table["model"], table["tf_idf"]
    names = ["map", "mrr", *(f"{kind}@{n}" for kind in "pr" for n in table["larger"])]
    rows = [(name.upper(), model[name], other[name]) for name in names]
    for n in table["larger"]:
        rows.append((f"PBT@{n}, PTB@{n}", model[f"pbt@{n}"], other[f"ptb@{n}"]))
    return rows
