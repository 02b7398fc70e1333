"""What of a network that is not trained may be computed once for each text. No torch is loaded."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor, nn

STATES, PLACES = "frozen_states", "frozen_places"
"""In a batch, of all first texts, then of all second ones: stored states (N, T, K), 0 beyond a text's places,
and the number of these (N,), T the most. ``read_features`` takes them in place of the part that made them."""


@dataclass(frozen=True)
class FrozenPart:
    """A part that training does not change, without dropout, whose states of a text hang on its ids alone.

    Attributes:
        module: What computes them.
        width: K, numbers of one place of a text.
        facts: What decides the states beside the weights, as JSON has it.
        in_words: What is kept, and what places are: ``3 layers``, ``words``.
        texts: Of a batch, for each text of a row, which ids (B, L) make its states.
        places: The number of a text's places, by its ids.
        states: (N, T, K) by ids (N, L) and which of them are a text's (N, L).
    """

    module: nn.Module
    width: int
    facts: Mapping[str, Any]
    in_words: tuple[str, str]
    texts: Callable[[Mapping[str, Tensor]], Sequence[Tensor]]
    places: Callable[[np.ndarray], int]
    states: Callable[[Tensor, Tensor], Tensor]


def frozen_part(model: Any) -> FrozenPart | None:
    """That of a network of the package; None where it has none, or where it is trained."""
    found: FrozenPart | None = model.frozen_part() if hasattr(model, "frozen_part") else None
    return found
