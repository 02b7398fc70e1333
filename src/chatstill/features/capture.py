"""One forward pass with what a method needs of it: logits, hidden states, queries, keys and values."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Any

import torch
from torch import Tensor, nn

from .attention import Sink, listening
from .base import Features, Needs

OF_ROWS = ("labels", "index", "row_weights", "targets")
TOKEN_WEIGHTS, WORD_STARTS = "token_weights", "word_starts"
NOT_INPUTS = (*OF_ROWS, TOKEN_WEIGHTS, WORD_STARTS)
TEACHERS = "teacher_"  # before a key of a batch: the teacher's view of the rows


class NoHead(RuntimeError):
    """The layer over the vocabulary did not run: the network makes its scores in another way."""


class _Enough(Exception):
    """The highest layer that is needed has run."""


class NotCaptured(RuntimeError):
    """Layers whose queries and keys could not be kept.

    Attributes:
        layers: Their numbers (1-based).
        more: Arguments of the attention interface under which scores are more than products of queries
            and keys; empty where the attention does not go through the interface at all.
    """

    def __init__(self, layers: Sequence[int], more: tuple[str, ...]) -> None:
        why = f"scores are more than products: {', '.join(more)}" if more else "not seen there"
        super().__init__(f"layers {list(layers)} in the attention interface: {why}")
        self.layers, self.more = tuple(layers), more


def takes_token_types(model: nn.Module) -> bool:
    """Whether the network reads segment ids."""
    model = getattr(model, "module", model)  # inside FSDP
    known = "token_type_ids" in inspect.signature(model.forward).parameters
    compared = (
        getattr(model.config, "model_type", "") == "xlnet"
    )  # with each other, without a table
    return known and (compared or (getattr(model.config, "type_vocab_size", 0) or 0) > 1)


def inputs_of(model: nn.Module, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """What of a batch a network reads."""
    inputs = {
        key: value
        for key, value in batch.items()
        if key not in NOT_INPUTS and not key.startswith(TEACHERS)
    }
    if "token_type_ids" in inputs and not takes_token_types(model):
        del inputs["token_type_ids"]
    return inputs


def teachers_view(batch: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """What of a batch is the teacher's: its own view where it has one, else all."""
    read = {
        key.removeprefix(TEACHERS): value
        for key, value in batch.items()
        if key.startswith(TEACHERS)
    }
    return read or batch


def capture(
    model: nn.Module,
    layers: Sequence[nn.Module],
    batch: Mapping[str, Tensor],
    needs: Needs,
    *,
    stop_early: bool = False,
) -> Features:
    """Runs a network and keeps what is needed.

    Args:
        model: A sequence classifier, or a network with a head over the vocabulary.
        layers: Its layers; may be empty where logits alone are needed.
        batch: With ``attention_mask`` (B, L).
        needs: What to keep.
        stop_early: End the pass after the highest layer that is needed. Not for networks wrapped by
            FSDP, whose hooks must see the pass end.

    Raises:
        NotCaptured: a layer's queries and keys were asked for and are not to be had (``features.probe``
            finds that out before training).
        NoHead: the same of the layer over the vocabulary (``models.masked_lm.head_problem``).
    """
    features, states = Features(), dict[int, Tensor]()
    wanted = {*needs.hidden_states, *needs.cls, *([len(layers)] if needs.vector else [])}
    sink = Sink(_modules_of(layers, needs.attention))
    highest = needs.highest
    with ExitStack() as stack:
        for index in sorted(wanted):
            stack.callback(_watch(layers, index, states).remove)
        if needs.attention:
            stack.enter_context(listening(sink))
        if needs.vocabulary:
            head: list[Tensor] = []
            stack.callback(_watch_head(model, head).remove)
        if stop_early and highest is not None:
            # After the hooks above, so that this layer's output is kept first.
            stack.callback(_stop(layers, highest).remove)
        try:
            output = model(**inputs_of(model, batch))
            features.logits = output.logits if needs.logits else None
        except _Enough:
            pass
    if needs.vocabulary:
        if not head:
            raise NoHead
        features.head = head[0][:, : batch["attention_mask"].shape[1]]
        features.vocabulary = vocabulary_layer(model)
    missing = [layer for layer in needs.attention if layer not in sink.kept]
    if missing:
        raise NotCaptured(missing, tuple(sorted(sink.more)))
    features.attention = dict(sink.kept)
    mask = batch["attention_mask"]
    # Some networks pad further themselves, at the end (Longformer, BigBird).
    states = {index: state[:, : mask.shape[1]] for index, state in states.items()}
    features.hidden_states = {index: states[index] for index in needs.hidden_states}
    features.cls = {index: first_tokens(states[index], mask) for index in needs.cls}
    if needs.vector:
        features.vector = vector_of(states[len(layers)], batch, needs.pooling)
    return features


def vocabulary_layer(model: Any) -> tuple[Tensor, Tensor | None]:
    """Weight (V, D) and bias (V,) of the layer that gives a score to each piece."""
    layer = model.get_output_embeddings()
    return layer.weight, getattr(layer, "bias", None)


def _watch_head(model: Any, found: list[Tensor]) -> Any:
    """A hook that keeps what that layer reads, and gives it no position to compute scores of."""

    def before(module: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        found.append(inputs[0])
        return (inputs[0][:, :0], *inputs[1:])

    return model.get_output_embeddings().register_forward_pre_hook(before)


def vector_of(states: Tensor, batch: Mapping[str, Tensor], pooling: str) -> Tensor:
    """(B, D): a row's sentence vector from the last layer's states (B, L, D), by ``Needs.pooling``."""
    mask = batch["attention_mask"]
    if pooling == "cls":
        return first_tokens(states, mask).float()
    if pooling.startswith("weighted"):
        return weighted_mean(states, mask, batch[TOKEN_WEIGHTS])
    return mean_of_tokens(states, mask)


def first_tokens(states: Tensor, mask: Tensor) -> Tensor:
    """(B, D): the state of each row's first token, wherever the padding is."""
    first = mask.bool().int().argmax(-1)
    return states[torch.arange(len(states), device=states.device), first]


def mean_of_tokens(states: Tensor, mask: Tensor) -> Tensor:
    """(B, D): the mean over the tokens of each row in float32, padding left out."""
    valid = mask.bool()[..., None]
    return torch.where(valid, states.float(), 0.0).sum(1) / valid.sum(1).clamp(min=1)


def weighted_mean(states: Tensor, mask: Tensor, weights: Tensor) -> Tensor:
    """(B, D): the mean over the tokens of each row by their weights (B, L); 0 where all of them weigh 0."""
    weights = torch.where(mask.bool(), weights.float(), 0.0)[..., None]
    return (states.float() * weights).sum(1) / weights.sum(1).clamp(min=torch.finfo().tiny)


def _modules_of(layers: Sequence[nn.Module], wanted: Sequence[int]) -> dict[int, int]:
    return {id(part): layer for layer in wanted for part in layers[layer - 1].modules()}


def _watch(layers: Sequence[nn.Module], index: int, states: dict[int, Tensor]) -> Any:
    """A hook that notes hidden state ``index``, the first time: what follows is a recomputation."""
    if index == 0:

        def before(module: nn.Module, args: Any, kwargs: Any) -> None:
            states.setdefault(0, args[0] if args else kwargs["hidden_states"])

        return layers[0].register_forward_pre_hook(before, with_kwargs=True)

    def after(module: nn.Module, args: Any, output: Any) -> None:
        states.setdefault(index, output[0] if isinstance(output, tuple | list) else output)

    return layers[index - 1].register_forward_hook(after)


def _stop(layers: Sequence[nn.Module], highest: int) -> Any:
    if highest == 0:

        def before(module: nn.Module, args: Any) -> None:
            raise _Enough

        return layers[0].register_forward_pre_hook(before)

    def after(module: nn.Module, args: Any, output: Any) -> None:
        raise _Enough

    return layers[highest - 1].register_forward_hook(after)
