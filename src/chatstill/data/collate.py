"""Rows of a view to a padded batch of tensors, without a Python loop over rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from ..tasks.base import Objective
from .views import View

NO_LABEL = -100  # the class of a row without a label, as losses have it


def collate(
    view: View,
    indices: np.ndarray,
    *,
    pad_token_id: int,
    label_order: Sequence[int] | None = None,
    with_token_types: bool = False,
    objective: Objective = "cross_entropy",
    pad_to_multiple_of: int = 1,
) -> dict[str, torch.Tensor]:
    """Pad rows to the longest of them, on the tokenizer's padding side.

    Args:
        indices: (B,) row numbers.
        label_order: The model's column of each of the task's label indices; None where they agree.
        with_token_types: Whether the network reads token types.
        objective: Labels are class indices (int64, -100 for a row without) for ``cross_entropy``,
            else numbers (float32, nan for a row without).
        pad_to_multiple_of: The padded length is raised to a multiple of this.

    Returns:
        ``input_ids``, ``attention_mask`` and, if asked, ``token_type_ids`` (B, L) int64; ``labels``
        (B,), or (B, C) for ``multi_label``, if any row of the view has one; ``index`` (B,) int64; (B, L)
        for each column of the view.
    """
    indices = np.asarray(indices, np.int64)
    starts = view.offsets[indices]
    lengths = view.lengths[indices][:, None]  # (B, 1)
    longest = int(lengths.max(initial=0))
    longest += -longest % pad_to_multiple_of
    column = np.arange(longest)  # (L,)
    if view.padding_side == "left":
        column = column - (longest - lengths)  # (B, L)
        mask = column >= 0
        at = starts[:, None] + column
    else:
        mask = column < lengths  # (B, L)
        at = starts[:, None] + column
    # Places of padding point into other rows or past the ends; what is read there is overwritten.
    ids = view.ids.take(at, mode="clip").astype(np.int64)
    ids[~mask] = pad_token_id
    batch = {
        "input_ids": torch.from_numpy(ids),
        "attention_mask": torch.from_numpy(mask.astype(np.int64)),
    }
    if with_token_types:
        types = view.types.take(at, mode="clip").astype(np.int64)
        types[~mask] = view.pad_token_type_id
        batch["token_type_ids"] = torch.from_numpy(types)
    for name, (values, padding) in view.columns.items():
        padded = values.take(at, mode="clip")
        padded[~mask] = padding
        batch[name] = torch.from_numpy(padded)
    if view.num_labelled:
        batch["labels"] = _labels(view.labels[indices], label_order, objective)
    batch["index"] = torch.from_numpy(indices.copy())
    return batch


def _labels(
    labels: np.ndarray, label_order: Sequence[int] | None, objective: Objective
) -> torch.Tensor:
    """Labels in the model's order and the objective's type."""
    if objective == "multi_label":
        columns = np.empty_like(labels)
        columns[:, slice(None) if label_order is None else label_order] = labels
        return torch.from_numpy(columns)
    if objective == "cross_entropy":
        missing = np.isnan(labels)
        classes = np.where(missing, 0, labels).astype(np.int64)
        if label_order is not None:
            classes = np.asarray(label_order)[classes]
        return torch.from_numpy(np.where(missing, NO_LABEL, classes))
    if objective == "sigmoid" and label_order is not None:
        classes = np.asarray(label_order)[np.nan_to_num(labels).astype(np.int64)]
        labels = np.where(np.isnan(labels), labels, classes)
    return torch.from_numpy(labels.astype(np.float32))
