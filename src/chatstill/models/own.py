"""What a kept network's ``config.json`` says beyond transformers: its block ``chatstill``."""

from collections.abc import Mapping
from typing import Any

from ..errors import Problem
from ..tasks.base import Labels

BLOCK = "chatstill"
LABELS = "labels"  # of a network of one logit: both classes, the one that it scores last
CONVERSION = "preprocess"  # of the texts that it was trained on
POSITIVE = "positive_label"  # the class that counts, as the task calls it
READ = "read_tokens"  # of a network that started from random weights: how many tokens of a corpus it has seen
CLASSIFIER, UNTRAINED = (
    "classifier",
    "untrained",
)  # of a network that no term or phase taught to answer

# What ``model.head`` of ``metrics.json`` says where nothing answers yet.
NOT_TAUGHT = "its classifier was not trained: it answers nothing until a run trains it"
NO_HEAD = (
    "it has no head, as no term trained one: it answers nothing until it is fine-tuned on a task"
)


def own_block(config: Any) -> dict[str, Any]:
    """The block of a transformers config; empty for other networks."""
    found = getattr(config, BLOCK, None)
    return dict(found) if isinstance(found, Mapping) else {}


def set_own_block(config: Any, values: Mapping[str, Any]) -> None:
    """Writes the block, or removes the one that came with the teacher's config where it is empty."""
    if values:
        setattr(config, BLOCK, dict(values))
    elif hasattr(config, BLOCK):
        delattr(config, BLOCK)


def other_positive(config: Any, labels: Labels, place: str, role: str) -> list[Problem]:
    """A warning where another class counted when a network was trained than counts now.

    Args:
        config: The network's.
        labels: The task's.
        place: Where the problem stands.
        role: What the network is, for the message.
    """
    counted = own_block(config).get(POSITIVE)
    if counted is None or labels.positive in (None, counted) or counted not in labels.names:
        return []
    message = (
        f"{labels.positive!r} counts in f1, threshold and ranking here; where the {role} was trained "
        f"it was {counted!r}"
    )
    hint = f'Write "positive_label": "{counted}" where that one is meant.'
    return [Problem(place, message, hint, "warning", code="labels.another-class-counts")]


def other_conversion(block: Mapping[str, Any], preprocess: str | None, role: str) -> Problem | None:
    """A warning where a network was trained on texts that were converted otherwise.

    Args:
        block: ``chatstill`` of its config, empty for other networks.
        preprocess: The configuration's.
        role: What the network is, for the message.
    """
    theirs = block.get(CONVERSION)
    if not block or theirs == preprocess:
        return None
    here, there = (f'"{one}"' if one else None for one in (preprocess, theirs))
    message = (
        f"is {here or 'not set'}, the {role} was trained {f'with {there}' if there else 'without'}"
    )
    what = f'Set "{CONVERSION}": {there}' if there else "Leave it out"
    hint = f"{what} to give it the texts that it knows."
    return Problem(
        CONVERSION, message, hint, severity="warning", code="networks.other-preprocessing"
    )
