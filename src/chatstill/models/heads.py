"""A network's head: how many outputs it has, and where a new one of a regression starts."""

from typing import Any

import numpy as np
import torch
from torch import nn
from transformers import PretrainedConfig, PreTrainedModel

from ..errors import Problem, UserError
from ..registry.model_types import QA, built_in


def wanted_outputs(
    architecture: Any, config: PretrainedConfig, num_labels: int | None
) -> int | None:
    """Outputs of the head to be built; None keeps those of the config.

    ``num_labels`` of the block goes first. A ``qa`` network keeps the one or two of a head that its
    weights hold, and a new one gives a single logit: the score of a reply.

    Args:
        architecture: The block of the configuration.
        config: As read from its files.
        num_labels: What the task needs; None for a network that is used as it is.
    """
    if architecture.num_labels is not None:
        return architecture.num_labels
    if built_in(architecture.model_type) != QA or num_labels is None:
        return num_labels
    classes = getattr(config, "architectures", None) or []
    trained = any(str(name).endswith("ForSequenceClassification") for name in classes)
    return config.num_labels if trained and config.num_labels in (1, 2) else 1


def check_head(
    architecture: Any, outputs: int, role: str, num_labels: int | None, problem: str | None
) -> None:
    """A ``qa`` network scores replies of a task with two labels.

    Raises:
        UserError: the task is another one, or the network has more than two outputs.
    """
    if built_in(architecture.model_type) != QA:
        return
    place = f"{role}_architectures.model_type"
    hint = 'Write "sequence-classification", or leave model_type out.'
    if problem != "classification" or (num_labels or 2) != 2:
        what = "a regression" if problem == "regression" else f"{num_labels} labels"
        message = f"'qa' scores replies, right or wrong; the task has {what}"
        raise UserError(Problem(place, message, hint, code="student.qa-needs-two-classes"))
    if outputs not in (1, 2):
        message = f"'qa' has one or two logits; the network has {outputs}"
        raise UserError(Problem(place, message, hint, code="student.qa-logits"))


def start_at_mean(model: PreTrainedModel, scores: np.ndarray) -> float | None:
    """Sets the bias of a new head of one output; a trained head, whose bias is not 0, is left alone.

    A regression whose scores lie far from 0 otherwise spends its first epochs on moving every weight
    towards their mean, and a shallow network may not recover from it.

    Args:
        model: A classifier.
        scores: (N,) training scores, NaN for a row without.

    Returns:
        The mean of the scores; None if the bias was not set.
    """
    head = [child for child in model.children() if child is not model.base_model]
    outputs = [part for child in head for part in child.modules() if isinstance(part, nn.Linear)]
    bias = outputs[-1].bias if outputs else None
    known = scores[~np.isnan(scores)]
    if bias is None or outputs[-1].out_features != 1 or bool(bias.any()) or not len(known):
        return None
    mean = float(known.mean())
    with torch.no_grad():
        bias.fill_(mean)
    return mean
