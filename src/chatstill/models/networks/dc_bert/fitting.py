"""What a run's block says of the interaction, and what of it, the teacher and the rows does not fit."""

from __future__ import annotations

import dataclasses

from transformers import PreTrainedModel

from ....errors import Problem
from ...layers import num_layers_of
from ...student_spec import RowReading, StudentSpec
from .encoders import LAYERS
from .names import BOTH_WAYS

BLOCK, STUDENT = "dc_bert_model_config", "student_architectures"


@dataclasses.dataclass(frozen=True)
class Interaction:
    """What the user's block says of the interaction.

    Attributes:
        kind: ``last_layer_model_type``.
        layers: ``num_interaction_layers``.
        copy_from: ``copy_from_bert_layer_num``.
        shared: ``shared_encoder``.
        attends: ``interaction``.
        width: ``document_width``.
    """

    kind: str
    layers: int
    copy_from: int
    shared: bool
    attends: str = BOTH_WAYS
    width: int | None = None


def interaction_layers(wanted: Interaction, total: int) -> tuple[list[int], list[Problem]]:
    """The teacher's layers (0-based) that the interaction starts as, and what is wrong with the wish."""
    place, last = f"{BLOCK}.copy_from_bert_layer_num", wanted.copy_from
    if not -total <= last < total:
        message = (
            f"is {last}, and the teacher has {total} layers: 0 to {total - 1}, or -1 (the last) to "
            f"-{total}"
        )
        return [], [Problem(place, message, code="dc-bert.layer-out-of-range")]
    end = last % total
    if end + 1 < wanted.layers:
        message = (
            f"is {last}, layer {end} from 0: {end + 1} of the teacher's layers end there, and "
            f"num_interaction_layers is {wanted.layers}"
        )
        if wanted.layers > total:
            return [], [
                Problem(
                    place,
                    message,
                    f"Ask for 1 to {total} interaction layers.",
                    code="dc-bert.more-interaction-layers-than-layers",
                )
            ]
        hint = f"Write {wanted.layers - 1} to {total - 1}, or -1 (the last) to {wanted.layers - 1 - total}."
        return [], [Problem(place, message, hint, code="dc-bert.too-few-layers-below")]
    return list(range(end + 1 - wanted.layers, end + 1)), []


def about_width(wanted: Interaction, width: int) -> list[Problem]:
    """States of documents can be stored narrower than the ``width`` that they have, and not otherwise."""
    narrow = wanted.width
    if narrow is None or 1 <= narrow < width:
        return []
    message = f"is {narrow}, and the teacher's states have {width} numbers: it must be below that"
    hint = f"Ask for 1 to {width - 1}, or leave it out."
    place = f"{BLOCK}.document_width"
    return [Problem(place, message, hint, code="dc-bert.width-not-smaller")]


def unknown_teacher(teacher: PreTrainedModel) -> Problem | None:
    """A teacher of whose layers no encoder can be made."""
    kind = teacher.config.model_type
    if kind in LAYERS and not getattr(teacher.config, "is_decoder", False):
        return None
    message = f"a '{kind}' cannot be the start of DC-BERT's encoders"
    if kind in LAYERS:
        message += " as a decoder (is_decoder), whose first token sees no other"
    hint = f"Take a teacher of one of these kinds: {', '.join(LAYERS)}."
    return Problem("teacher_architectures", message, hint, code="dc-bert.other-teacher")


def about_student(spec: StudentSpec) -> list[Problem]:
    """The encoders start as the teacher's layers and nothing else."""
    problems = []
    if spec.path:
        message = f"{spec.path} would not be read: DC-BERT's encoders start as the teacher's layers"
        problems.append(
            Problem(
                f"{STUDENT}.model_name_or_path",
                message,
                "Leave it out.",
                code="dc-bert.weights-not-read",
            )
        )
    if spec.copy_from not in (None, "teacher"):
        message = f"is '{spec.copy_from}', and DC-BERT's encoders start as the teacher's layers"
        problems.append(
            Problem(f"{STUDENT}.copy_from", message, "Leave it out.", code="dc-bert.other-start")
        )
    return problems


def deeper(problem: Problem, spec: StudentSpec, teacher: PreTrainedModel) -> Problem:
    """More layers than there are: random ones, as the general message offers, are none of these."""
    total = num_layers_of(teacher.config)
    if "copy_layers" in problem.place:
        return problem
    message = f"encoders of {spec.num_layers} layers cannot start from a teacher of {total}"
    return Problem(
        problem.place,
        message,
        f"Ask for 1 to {total} layers.",
        code="dc-bert.deeper-than-the-teacher",
    )


def about_rows(reading: RowReading) -> list[Problem]:
    """Rows must have two texts, between the special tokens that a text alone gets."""
    problems = []
    tokenizer = reading.tokenizer
    ids = tokenizer("a", "b")["input_ids"]
    special = (tokenizer.cls_token_id, tokenizer.sep_token_id)
    known = None not in special and (ids[0], ids[-1]) == special
    if not known or tokenizer.num_special_tokens_to_add(pair=True) not in (3, 4):
        message = "the teacher's tokenizer does not put a pair as [CLS] query [SEP] reply [SEP]"
        hint = "DC-BERT gives each text a [CLS] and a [SEP] of its own; take another tokenizer."
        problems.append(Problem("tokenizer", message, hint, code="dc-bert.other-joint-row"))
    if not reading.pairs():
        message = "its rows have one text, and DC-BERT encodes a query and a reply"
        hint = "Take another method for this task, such as theseus-bert or KD."
        problems.append(Problem("task_name", message, hint, code="dc-bert.rows-of-one-text"))
    return problems
