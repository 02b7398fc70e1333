"""A DC-BERT out of a fine-tuned teacher: what it takes over, its lengths, and what does not fit."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import torch
from transformers import PreTrainedModel

from ....errors import Problem, UserError
from ....features.layer_map import initial_layers
from ....registry.plugins import faults
from ...layers import copy_layers, num_layers_of
from ...lengths import usable_positions
from ...student_spec import RowReading, StudentSpec
from .config import SPECIAL, DcBertConfig
from .encoders import LAYERS, layers_of, pooler_of, position_table, type_table
from .interactions import LinearInteraction
from .lengths import Lengths, fitting_lengths
from .model import DcBertForSequenceClassification
from .names import TRANSFORMER, built_in
from .own import own_interaction

BLOCK, STUDENT = "dc_bert_model_config", "student_architectures"
NOT_THE_ENCODERS = ("architectures", "id2label", "label2id", "problem_type", "transformers_version")


@dataclasses.dataclass(frozen=True)
class Interaction:
    """What the user's block says of the interaction.

    Attributes:
        kind: ``last_layer_model_type``.
        layers: ``num_interaction_layers``.
        copy_from: ``copy_from_bert_layer_num``.
        shared: ``shared_encoder``.
    """

    kind: str
    layers: int
    copy_from: int
    shared: bool


def build_dc_bert(
    teacher: PreTrainedModel, wanted: Interaction, spec: StudentSpec
) -> tuple[PreTrainedModel, list[str]]:
    """The network with what it takes over from the teacher, and lines about it for the plan.

    Raises:
        UserError: everything in which teacher, rows and block do not fit, at once.
    """
    reading = spec.reading
    assert reading is not None, "a network that parts rows is made for the rows of a run"
    if problem := _unknown_teacher(teacher):
        raise UserError(problem)
    problems = _about_student(spec)
    try:
        indices = initial_layers(
            num_layers_of(teacher.config), spec.num_layers, _which(spec.copy_layers)
        )
    except UserError as error:
        problems += [_deeper(p, spec, teacher) for p in error.problems]
        indices = []
    joint = built_in(wanted.kind) == TRANSFORMER
    lower: list[int] = []
    if joint:
        lower, found = interaction_layers(wanted, num_layers_of(teacher.config))
        problems += found
    lengths, found = fitting_lengths(reading, usable_positions(teacher.config, teacher), joint)
    problems += [*found, *_about_rows(reading)]
    code = ""
    if built_in(wanted.kind) is None:
        try:
            code = own_interaction(wanted.kind, f"{BLOCK}.last_layer_model_type").code
        except UserError as error:
            problems += error.problems
    if problems:
        raise UserError(problems)
    encoder = copy_layers(teacher, len(indices), indices)
    config = _config(teacher, encoder, wanted, lengths, reading, code)
    model = _new(config, spec.seed)
    lines = _fill(model, teacher, encoder, lower)
    _try(model)
    start = f"encoders start as the teacher's layers {indices} (0-based)"
    cut = f"queries are cut to {lengths.query} tokens, replies to {lengths.reply}"
    return model, [start, *lines, cut]


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


def _unknown_teacher(teacher: PreTrainedModel) -> Problem | None:
    kind = teacher.config.model_type
    if kind in LAYERS and not getattr(teacher.config, "is_decoder", False):
        return None
    message = f"a '{kind}' cannot be the start of DC-BERT's encoders"
    if kind in LAYERS:
        message += " as a decoder (is_decoder), whose first token sees no other"
    hint = f"Take a teacher of one of these kinds: {', '.join(LAYERS)}."
    return Problem("teacher_architectures", message, hint, code="dc-bert.other-teacher")


def _about_student(spec: StudentSpec) -> list[Problem]:
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


def _which(copy_layers: str | Sequence[int] | None) -> Any:
    return copy_layers or "first"


def _deeper(problem: Problem, spec: StudentSpec, teacher: PreTrainedModel) -> Problem:
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


def _about_rows(reading: RowReading) -> list[Problem]:
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


def _config(
    teacher: PreTrainedModel,
    encoder: PreTrainedModel,
    wanted: Interaction,
    lengths: Lengths,
    reading: RowReading,
    code: str,
) -> DcBertConfig:
    described = {k: v for k, v in encoder.config.to_dict().items() if k not in NOT_THE_ENCODERS}
    return DcBertConfig(
        encoder_config={key: v for key, v in described.items() if not key.startswith("_")},
        last_layer_model_type=built_in(wanted.kind) or wanted.kind,
        interaction_code=code,
        num_interaction_layers=wanted.layers,
        shared_encoder=wanted.shared,
        max_query_length=lengths.query,
        max_reply_length=lengths.reply,
        truncation_side=reading.truncation_side,
        num_positions=len(position_table(teacher.base_model)),
        id2label=teacher.config.id2label,
        label2id=teacher.config.label2id,
        problem_type=teacher.config.problem_type,
        **_special(reading.tokenizer),
    )


def _special(tokenizer: Any) -> dict[str, int]:
    return {
        "cls_token_id": tokenizer.cls_token_id,
        "sep_token_id": tokenizer.sep_token_id,
        "pad_token_id": tokenizer.pad_token_id,
        "separators": tokenizer.num_special_tokens_to_add(pair=True) - SPECIAL,
    }


def _new(config: DcBertConfig, seed: int) -> Any:
    """Of random weights; the global generator is not touched."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        model: Any = DcBertForSequenceClassification._from_config(config, dtype=torch.float32)
    return model.eval()


@torch.no_grad()
def _fill(
    model: DcBertForSequenceClassification,
    teacher: PreTrainedModel,
    encoder: PreTrainedModel,
    lower: list[int],
) -> list[str]:
    """Takes over encoders, interaction layers, tables and poolers; lines for the plan."""
    towers: Any = model.dc_bert
    for own in {id(e): e for e in (towers.query_encoder, towers.of_documents)}.values():
        state = encoder.base_model.state_dict()
        own.load_state_dict({name: state[name] for name in own.state_dict()})
    form: Any = model.interaction
    shared = "one encoder for both texts" if towers.document_encoder is None else "two encoders"
    kind = model.config.last_layer_model_type
    if built_in(kind) == TRANSFORMER:
        theirs = layers_of(teacher.base_model)
        for layer, index in zip(form.layers, lower, strict=True):
            layer.load_state_dict(theirs[index].state_dict())
        form.positions.weight.copy_(position_table(teacher.base_model))
        types = type_table(teacher.base_model)
        form.types.weight.copy_(torch.zeros_like(form.types.weight) if types is None else types)
        return [f"{shared}; the interaction starts as the teacher's layers {lower} (0-based)"]
    pooler = pooler_of(teacher)
    if isinstance(form, LinearInteraction) and pooler is not None:
        for own in filter(None, (form.query_pooler, form.document_pooler)):
            own.load_state_dict(pooler.state_dict())
        return [f"{shared}; interaction '{kind}', its poolers start as the teacher's"]
    if callable(getattr(form, "start_from", None)):
        with faults(own_interaction(kind).file, f"{type(form).__name__}.start_from fails"):
            form.start_from(teacher)
    return [f"{shared}; interaction '{kind}'"]


@torch.no_grad()
def _try(model: DcBertForSequenceClassification) -> None:
    """Two made-up pairs through a user's own interaction: a slip shows before anything is prepared.

    Raises:
        UserError: it fails, or gives other shapes.
    """
    kind = model.config.last_layer_model_type
    if built_in(kind) is not None:
        return
    own, width = own_interaction(kind), model.config.hidden_size
    states, mask = torch.zeros(2, 5, width), torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]])
    with faults(own.file, f"{own.interaction.__name__}.forward fails"):
        logits = model.interaction(states[:, :4], mask[:, :4], states, mask)
    expected = (2, int(model.config.num_labels or 2))
    found = tuple(logits.shape) if isinstance(logits, torch.Tensor) else type(logits).__name__
    if found != expected:
        message = f"{own.interaction.__name__}.forward gives {found} for 2 rows, expected logits {expected}"
        raise UserError(Problem(own.file, message, code="dc-bert.other-logits"))
