"""A DC-BERT out of a fine-tuned teacher: what it takes over, its lengths, and what does not fit."""

from __future__ import annotations

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
from .encoders import layers_of, pooler_of, position_table, type_table
from .fitting import (
    BLOCK,
    Interaction,
    about_rows,
    about_student,
    about_width,
    deeper,
    interaction_layers,
    unknown_teacher,
)
from .interactions import LinearInteraction
from .lengths import Lengths, fitting_lengths
from .model import DcBertForSequenceClassification
from .names import BOTH_WAYS, ONE_WAY, TRANSFORMER, built_in
from .own import own_interaction
from .projection import TEXTS, start_projection

NOT_THE_ENCODERS = ("architectures", "id2label", "label2id", "problem_type", "transformers_version")


def build_dc_bert(
    teacher: PreTrainedModel, wanted: Interaction, spec: StudentSpec
) -> tuple[PreTrainedModel, list[str]]:
    """The network with what it takes over from the teacher, and lines about it for the plan.

    Raises:
        UserError: everything in which teacher, rows and block do not fit, at once.
    """
    reading = spec.reading
    assert reading is not None, "a network that parts rows is made for the rows of a run"
    if problem := unknown_teacher(teacher):
        raise UserError(problem)
    problems = about_student(spec)
    try:
        indices = initial_layers(
            num_layers_of(teacher.config), spec.num_layers, _which(spec.copy_layers)
        )
    except UserError as error:
        problems += [deeper(p, spec, teacher) for p in error.problems]
        indices = []
    joint = built_in(wanted.kind) == TRANSFORMER
    lower: list[int] = []
    if joint:
        lower, found = interaction_layers(wanted, num_layers_of(teacher.config))
        problems += [*found, *about_width(wanted, teacher.config.hidden_size)]
    lengths, found = fitting_lengths(reading, usable_positions(teacher.config, teacher), joint)
    problems += [*found, *about_rows(reading)]
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
    if model.projection is not None:
        lines.append(start_projection(model, reading.tokenizer, reading.replies(TEXTS)))
    _try(model)
    start = f"encoders start as the teacher's layers {indices} (0-based)"
    cut = f"queries are cut to {lengths.query} tokens, replies to {lengths.reply}"
    return model, [start, *lines, cut]


def _which(copy_layers: str | Sequence[int] | None) -> Any:
    return copy_layers or "first"


def _config(
    teacher: PreTrainedModel,
    encoder: PreTrainedModel,
    wanted: Interaction,
    lengths: Lengths,
    reading: RowReading,
    code: str,
) -> DcBertConfig:
    described = {k: v for k, v in encoder.config.to_dict().items() if k not in NOT_THE_ENCODERS}
    joint = built_in(wanted.kind) == TRANSFORMER
    return DcBertConfig(
        encoder_config={key: v for key, v in described.items() if not key.startswith("_")},
        last_layer_model_type=built_in(wanted.kind) or wanted.kind,
        interaction_code=code,
        num_interaction_layers=wanted.layers,
        interaction=wanted.attends if joint else BOTH_WAYS,
        document_width=wanted.width if joint else None,
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
        start = f"{shared}; the interaction starts as the teacher's layers {lower} (0-based)"
        one_way = ", and changes the query's states alone"
        return [start + (one_way if model.config.interaction == ONE_WAY else "")]
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
