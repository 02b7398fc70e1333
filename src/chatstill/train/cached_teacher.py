"""A teacher's features from disk, in place of the teacher: what a step reads was stored before it.

Features become plain arrays here and come back: a hidden state (B, L, D) is kept as the (T, D) of its
valid tokens and padded again for whatever batch its row is in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch import Tensor

from ..data.teacher_cache import Layout, Part, TeacherCache
from ..features.base import Features, Needs, QueryKeyValue

PER_ROW, PER_TOKEN = "float32", "float16"
Tensors = dict[str, tuple[Tensor, bool]]


class CachedTeacher:
    """Reads the features of a batch's rows: a ``TeacherSource``.

    Args:
        cache: Filled before.
        scaling: Of each layer's attention.
    """

    def __init__(self, cache: TeacherCache, scaling: Mapping[int, float]) -> None:
        self.cache, self.scaling = cache, dict(scaling)

    def features(self, batch: Mapping[str, Tensor]) -> Features:
        """The stored features of ``batch["index"]`` (B,), padded as the batch is, in float32.

        Padded positions are 0.
        """
        index = batch["index"]
        values = self.cache.read(index.cpu().numpy())
        return _from_arrays(
            values, batch["attention_mask"].cpu().bool(), index.device, self.scaling
        )


def layout_of(features: Features, needs: Needs) -> Layout:
    """How features like these are kept: float32 for what a row has once, float16 for tokens."""
    parts = []
    for name, (value, per_token) in _named(features, needs).items():
        shape = tuple(value.shape[2 if per_token else 1 :])
        parts.append(Part(name, shape, PER_TOKEN if per_token else PER_ROW, per_token))
    return Layout(tuple(parts))


def to_arrays(features: Features, needs: Needs, mask: Tensor) -> dict[str, np.ndarray]:
    """Features by name; those per token as the valid tokens (T, …) one after another.

    Args:
        features: Of a batch.
        needs: What of them is kept.
        mask: (B, L), not 0 at valid tokens.
    """
    valid = mask.bool()
    found = {}
    for name, (value, per_token) in _named(features, needs).items():
        kept = value[valid.to(value.device)] if per_token else value
        found[name] = kept.detach().float().cpu().numpy()
    return found


def compute_with(
    features: Callable[[Mapping[str, Tensor]], Features],
    needs: Needs,
    make_batch: Callable[[np.ndarray], dict[str, Tensor]],
    device: torch.device,
) -> Callable[[np.ndarray], dict[str, np.ndarray]]:
    """What fills a cache: ``row numbers -> arrays`` by a live teacher.

    Args:
        features: The live source.
        needs: What is kept of it.
        make_batch: Rows to one padded batch.
        device: Where the teacher is.
    """

    def compute(rows: np.ndarray) -> dict[str, np.ndarray]:
        batch = make_batch(rows)
        inputs = {name: tensor.to(device) for name, tensor in batch.items()}
        return to_arrays(features(inputs), needs, batch["attention_mask"])

    return compute


def _named(features: Features, needs: Needs) -> Tensors:
    """Every tensor with its name and whether it is per token; tokens are the second dimension."""
    found: Tensors = {}
    if features.logits is not None and needs.logits:
        found["logits"] = features.logits, False
    if features.vector is not None and needs.vector:
        found["vector"] = features.vector, False
    for layer in sorted(needs.cls):
        found[f"cls.{layer}"] = features.cls[layer], False
    for layer in sorted(needs.hidden_states):
        found[f"hidden_states.{layer}"] = features.hidden_states[layer], True
    for layer in sorted(needs.attention):
        kept = features.attention[layer]
        kinds = {"query": kept.query, "key": kept.key}
        if needs.values and kept.value is not None:
            kinds["value"] = kept.value
        for kind, tensor in kinds.items():
            found[f"attention.{layer}.{kind}"] = tensor.transpose(1, 2), True  # (B, L, H, d)
    return found


def _from_arrays(
    values: Mapping[str, np.ndarray],
    mask: Tensor,
    device: torch.device,
    scaling: Mapping[int, float],
) -> Features:
    features = Features()
    attention: dict[int, dict[str, Tensor]] = {}
    for name, array in values.items():
        kind, *rest = name.split(".")
        stored = torch.from_numpy(array)
        if kind in ("logits", "vector"):
            setattr(features, kind, stored.to(device).float())
        elif kind == "cls":
            features.cls[int(rest[0])] = stored.to(device).float()
        else:
            padded = padded_again(stored, mask).to(device).float()
            if kind == "hidden_states":
                features.hidden_states[int(rest[0])] = padded
            else:
                attention.setdefault(int(rest[0]), {})[rest[1]] = padded.transpose(1, 2)
    for layer, kept in attention.items():
        features.attention[layer] = QueryKeyValue(
            kept["query"], kept["key"], kept.get("value"), scaling[layer]
        )
    return features


def padded_again(tokens: Tensor, mask: Tensor) -> Tensor:
    """(T, …) valid tokens at their places in (B, L, …), 0 elsewhere."""
    padded = tokens.new_zeros((*mask.shape, *tokens.shape[1:]))
    padded[mask] = tokens
    return padded
