"""A term's sum and count for one micro-batch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

import torch
from torch import Tensor

from .. import losses
from ..features.base import Features, QueryKeyValue
from ..tasks.base import Objective
from .rows import OF_TOKENS
from .spec import Pair, Shape, TermSpec

PRODUCTS = ("attention_probabilities", "relations")
Project = Callable[[TermSpec, Pair, Tensor], Tensor]


def term_count(
    spec: TermSpec,
    batch: Mapping[str, Tensor],
    objective: Objective,
    *,
    student: Shape,
    teacher: Shape,
) -> float:
    """What the term's sum is divided by, counted over one micro-batch; known before any forward pass.

    A term over several pairs sums them: its count is that of one.
    """
    row, mask = spec.row, batch["attention_mask"]
    rows, positions = len(mask), row.positions or "valid"
    if row.loss == "hard":
        return losses.hard_label_count(batch.get("labels"), student.outputs, objective)
    if row.feature == "vocabulary":
        each = row.reduction == "mean" or (row.loss == "mse" and row.reduction is None)
        return positions_of(spec, batch).sum().item() * (student.pieces if each else 1.0)
    if row.feature in PRODUCTS:
        heads = row.heads or teacher.heads
        return losses.attention_count(
            mask, heads, per="row", positions=positions, causal=spec.causal
        )
    if row.loss in ("kl", "cross_entropy"):
        reduction: Literal["batchmean", "mean"] = "mean" if row.reduction == "mean" else "batchmean"
        return losses.soft_label_count(rows, student.outputs, objective, reduction=reduction)
    if row.loss == "patience":
        return losses.patience_count(
            rows, len(spec.pairs), teacher.width, reduction=row.reduction or "sum"
        )
    if row.feature == "hidden_states":
        width = teacher.width if row.loss == "mse" else 1
        return losses.hidden_count(mask, width, positions=positions)
    if row.feature == "attention_scores":
        per = "score" if row.loss == "mse" else "row"
        return losses.attention_count(
            mask, teacher.heads, per=per, positions=positions, causal=spec.causal
        )
    if row.loss == "cos" or row.normalize:
        return float(rows)
    return float(rows * (student.outputs if row.feature == "logits" else teacher.width))


def term_sum(
    spec: TermSpec,
    batch: Mapping[str, Tensor],
    student: Features,
    teacher: Features,
    objective: Objective,
    project: Project,
) -> Tensor:
    """The term's loss summed over one micro-batch.

    Args:
        spec: The term.
        batch: With ``attention_mask`` and, where there are any, ``labels``.
        student: Its features.
        teacher: Its features; of a term on labels alone nothing is read.
        objective: How the networks answer the task.
        project: (term, pair, the student's tensor) -> the tensor in the teacher's width.
    """
    feature = spec.row.feature
    if feature == "logits":
        return _logits(spec, batch, student, teacher, objective)
    if feature == "vocabulary":
        return _vocabulary(spec, batch, student, teacher)
    total: Tensor | None = None
    for pair in spec.pairs:
        if feature == "hidden_states":
            share = _hidden(spec, pair, batch, student, teacher, project)
        elif feature == "attention_scores":
            share = _scores(spec, pair, batch, student, teacher)
        elif feature in PRODUCTS:
            sides = (student.attention[pair.student], teacher.attention[pair.teacher])
            one, other = (_products(spec, side) for side in sides)
            positions, mask = spec.row.positions or "valid", batch["attention_mask"]
            share = losses.products_kl(one, other, mask, positions=positions, causal=spec.causal)
        else:
            share = _vectors(spec, pair, student, teacher, project)
        total = share if total is None else total + share
    assert total is not None, "a term without layers"
    return total


def _logits(
    spec: TermSpec,
    batch: Mapping[str, Tensor],
    student: Features,
    teacher: Features,
    objective: Objective,
) -> Tensor:
    row, student_logits = spec.row, student.logits
    assert student_logits is not None
    if row.loss == "hard":
        if "labels" not in batch:  # rows for the other terms
            return student_logits.float().sum() * 0.0
        return losses.hard_label_loss(
            student_logits, batch["labels"], objective, batch.get("row_weights")
        )
    teacher_logits = teacher.logits
    assert teacher_logits is not None
    if row.loss == "mse":
        softened = objective != "regression" and row.temperature
        return losses.logits_mse(student_logits, teacher_logits, temperature=softened or 1.0)
    if row.loss == "cos":
        return losses.cosine_distance(student_logits, teacher_logits)
    return losses.soft_label_loss(
        student_logits,
        teacher_logits,
        objective,
        temperature=row.temperature or 1.0,
        kind="kl" if row.loss == "kl" else "cross_entropy",
        temperature_squared=row.temperature_squared is not False,
    )


def positions_of(spec: TermSpec, batch: Mapping[str, Tensor]) -> Tensor:
    """(B, L) bool: where a term of the vocabulary counts; of next tokens those that have one."""
    if spec.row.loss == "clm":
        inside = batch["attention_mask"].bool()
        return torch.cat([inside[:, :-1] & inside[:, 1:], torch.zeros_like(inside[:, :1])], dim=1)
    masked = spec.row.loss == "mlm" or spec.row.positions == "masked"
    return batch["targets"] >= 0 if masked else batch["attention_mask"].bool()


def _vocabulary(
    spec: TermSpec, batch: Mapping[str, Tensor], student: Features, teacher: Features
) -> Tensor:
    row, counted = spec.row, positions_of(spec, batch)
    assert student.head is not None and student.vocabulary is not None
    states = student.head[counted]
    if row.loss in OF_TOKENS:
        told = batch["targets"] if row.loss == "mlm" else batch["input_ids"].roll(-1, 1)
        return losses.vocabulary_loss(states, student.vocabulary, told[counted])
    assert teacher.head is not None and teacher.vocabulary is not None
    sides = (states, student.vocabulary, teacher.head[counted], teacher.vocabulary)
    if row.loss == "mse":
        return losses.vocabulary_mse(*sides)
    return losses.vocabulary_kl(
        *sides,
        temperature=row.temperature or 1.0,
        temperature_squared=row.temperature_squared is not False,
    )


def _hidden(
    spec: TermSpec,
    pair: Pair,
    batch: Mapping[str, Tensor],
    student: Features,
    teacher: Features,
    project: Project,
) -> Tensor:
    student_states = project(spec, pair, student.hidden_states[pair.student])
    teacher_states = teacher.hidden_states[pair.teacher]
    mask = None if spec.row.positions == "all" else batch["attention_mask"]
    loss = losses.hidden_mse if spec.row.loss == "mse" else losses.hidden_cosine
    return loss(student_states, teacher_states, mask)


def _scores(
    spec: TermSpec, pair: Pair, batch: Mapping[str, Tensor], student: Features, teacher: Features
) -> Tensor:
    sides = [
        (side.query, side.key, side.scaling)
        for side in (student.attention[pair.student], teacher.attention[pair.teacher])
    ]
    mask, positions, floor = batch["attention_mask"], spec.row.positions, spec.row.zero_below
    if spec.row.loss == "mse" and positions in (None, "valid") and floor is None:
        return losses.attention_mse_of(sides[0], sides[1], mask, causal=spec.causal)
    student_scores, teacher_scores = (losses.raw_scores(*side) for side in sides)
    if spec.row.loss == "cos":
        return losses.attention_cosine(student_scores, teacher_scores, mask, causal=spec.causal)
    return losses.attention_mse(
        student_scores,
        teacher_scores,
        mask,
        positions=positions or "valid",
        zero_below=floor,
        causal=spec.causal,
    )


def attention_read(spec: TermSpec, kept: QueryKeyValue) -> list[Tensor]:
    """What of a layer's attention a term reads."""
    if spec.row.of is None:
        return [kept.query, kept.key]
    return [_related(spec, kept)]


def _related(spec: TermSpec, kept: QueryKeyValue) -> Tensor:
    found = {"queries": kept.query, "keys": kept.key, "values": kept.value}[spec.row.of or ""]
    assert found is not None
    return found


def _products(spec: TermSpec, kept: QueryKeyValue) -> tuple[Tensor, Tensor, float]:
    """What probabilities are the softmax of: queries with keys, or one of them with itself."""
    if spec.row.feature == "attention_probabilities":
        return kept.query, kept.key, kept.scaling
    states = _related(spec, kept)
    if spec.row.heads is not None:
        states = losses.in_heads(states, spec.row.heads)
    return states, states, states.shape[-1] ** -0.5


def _vectors(
    spec: TermSpec, pair: Pair, student: Features, teacher: Features, project: Project
) -> Tensor:
    if spec.row.feature == "cls":
        student_vector, teacher_vector = student.cls[pair.student], teacher.cls[pair.teacher]
    else:
        assert student.vector is not None and teacher.vector is not None
        student_vector, teacher_vector = student.vector, teacher.vector
    student_vector = project(spec, pair, student_vector)
    if spec.row.loss == "patience":
        return losses.patience_loss(
            student_vector, teacher_vector, normalize=spec.row.normalize is not False
        )
    if spec.row.normalize:  # the squared distance, 2 (1 − cos)
        return losses.patience_loss(student_vector, teacher_vector)
    return (
        losses.hidden_mse(student_vector, teacher_vector, None)
        if spec.row.loss == "mse"
        else (losses.cosine_distance(student_vector, teacher_vector))
    )
