"""A loss or gradient that is not finite: which side it comes from and which term, told in one message."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..errors import Problem, RunFailure
from ..features.base import Features
from ..features.capture import teachers_view
from ..methods.base import Context, Method
from .checkpoints import CheckpointStore
from .stage import StageModule


@dataclass(frozen=True)
class Findings:
    """What of a step is not finite, each by name and in the order in which it is computed.

    Attributes:
        weights: Parameters of the student and its projections.
        teacher: What is read of the teacher.
        student: What is read of the student.
        terms: Terms, as sums or times their weight.
    """

    weights: tuple[str, ...] = ()
    teacher: tuple[str, ...] = ()
    student: tuple[str, ...] = ()
    terms: tuple[str, ...] = ()

    @property
    def inputs_are_sound(self) -> bool:
        """Whether everything that the terms compare is finite."""
        return not (self.weights or self.teacher or self.student)


@torch.no_grad()
def look(
    stage: StageModule, micro_batches: Sequence[tuple[Mapping[str, Tensor], Context]]
) -> Findings:
    """Runs the micro-batches of a step once more, with its draws, and looks at everything on the way.

    Args:
        stage: As it was when the step failed.
        micro_batches: This process's, on its device.
    """
    weights = [name for name, p in stage.trained.named_parameters() if not _finite(p)]
    found: dict[str, list[str]] = {"teacher": [], "student": [], "terms": []}
    for batch, ctx in micro_batches:
        torch.manual_seed(ctx.number("dropout", shared=False))
        student, teacher, terms = stage.parts(batch, ctx)
        found["student"] += _broken(student, batch["attention_mask"])
        if teacher is not None:
            found["teacher"] += _broken(teacher, teachers_view(batch)["attention_mask"])
        found["terms"] += [n for n, t in terms.items() if not _finite(t.sum * t.weight)]
    return Findings(tuple(weights), **{key: tuple(dict.fromkeys(v)) for key, v in found.items()})


def not_finite(
    phase: str, step: int, found: Findings | None, method: Method, store: CheckpointStore
) -> RunFailure:
    """What to raise, with what is to be done about it.

    Args:
        phase: Its name.
        step: Its number, from 1.
        found: None where nobody could look.
        method: Its extreme knobs are told.
        store: Whether a checkpoint stands.
    """
    if store.newest()[0] is not None:
        stands = "The last good checkpoint stands"
    else:
        stands = "There is no checkpoint yet"
    why = reason(found or Findings(), method.doubts(), trained=step > 1)
    text = f"the loss or its gradient is not finite at step {step} of phase '{phase}'"
    return RunFailure(f"{text}. {why} {stands}")


def reason(found: Findings, doubts: Sequence[Problem], *, trained: bool) -> str:
    """Where something that is not finite comes from and what to do, as sentences.

    The learning rate is blamed where steps were trained, and the teacher's outputs and the knobs are sound.

    Args:
        found: What a step showed.
        doubts: Warnings about the method's knobs.
        trained: Whether a step was trained before.
    """
    if found.teacher:
        return (
            f"The teacher's {_listed(found.teacher)} are not finite: its weights are broken, or it overflows "
            "in this precision. Take another teacher, or float32 (no fp16/bf16)."
        )
    knobs = " ".join(f"{doubt.place}: {doubt.message}." for doubt in doubts)
    slower = "Lower learning_rate, set max_grad_norm, or train in float32 (no fp16/bf16)."
    if found.weights or found.student:
        where = f"weights ({_listed(found.weights)})" if found.weights else _listed(found.student)
        if trained:
            return f"The student's {where} are not finite. {knobs or slower}"
        other = "start it from other weights, or train in float32 (no fp16/bf16)."
        return f"The student's {where} are not finite from the start: {other}"
    if found.terms:
        named = ", ".join(f"'{name}'" for name in found.terms)
        what = f"terms {named} are" if len(found.terms) > 1 else f"term {named} is"
        knobs = knobs or "Look at weight and temperature."
        return f"The {what} not finite, though both sides that are compared are. {knobs}"
    return f"Every term is finite, and its gradient is not. {knobs}" if knobs else slower


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (" ..." if len(names) > 3 else "")


def _broken(features: Features, mask: Tensor) -> Iterator[str]:
    """Names of features that hold something not finite inside the text."""
    inside = mask.bool()
    if features.logits is not None and not _finite(features.logits):
        yield "logits"
    if features.vector is not None and not _finite(features.vector):
        yield "sentence vectors"
    states = {f"states of layer {layer}": state for layer, state in features.hidden_states.items()}
    yield from (name for name, state in states.items() if not _finite(state[inside]))
    yield from (
        f"[CLS] states of layer {layer}" for layer, s in features.cls.items() if not _finite(s)
    )
    for layer, kept in features.attention.items():
        sides = (kept.query.transpose(1, 2)[inside], kept.key.transpose(1, 2)[inside])
        if not all(map(_finite, sides)):
            yield f"queries and keys of layer {layer}"


def _finite(values: Tensor) -> bool:
    return bool(torch.isfinite(values).all())
