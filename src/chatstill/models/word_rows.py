"""Training only those word embeddings whose tokens occur in the data.

A vocabulary has 30,000 to 250,000 tokens, a training set often a third of them or fewer. The other rows
of the table never get a gradient, and yet a gradient of zeros, its norm and an update of nothing are
computed for them in every step: a sixth to a quarter of the step of three layers over short rows on a CPU.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from .custom import is_own
from .embeddings import embedding_table

LARGEST_SHARE = 0.75  # of a table; above it there is little to save


class WordRows:
    """A trained structure's word embeddings, cut to the rows that occur.

    Numerically that is the training of the whole table, but that weight decay does not reach rows
    that never occur.

    Attributes:
        name: Of the parameter in the trained structure.
        full: (V, D), the kept network's table; current after ``put_back``.
        rows: (R,) token ids, ascending.
        trained: (R, D), in the place of the table.
    """

    def __init__(self, name: str, embedding: nn.Embedding, rows: Tensor) -> None:
        self.name, self.rows = name, rows
        self.full = embedding.weight
        places = torch.full((len(self.full),), -1)
        places[rows] = torch.arange(len(rows))
        with torch.no_grad():
            self.trained = nn.Parameter(self.full[rows])
        embedding.weight = self.trained
        if embedding.padding_idx is not None:  # its row gets no gradient
            place = int(places[embedding.padding_idx])
            embedding.padding_idx = place if place >= 0 else None
        embedding.register_forward_pre_hook(_Places(places), with_kwargs=True)

    @torch.no_grad()
    def put_back(self) -> None:
        """Writes the trained rows into the kept network's table."""
        self.full[self.rows] = self.trained

    @torch.no_grad()
    def take_over(self) -> None:
        """Reads them from there."""
        self.trained.copy_(self.full[self.rows])

    def widened(self, optimizer: torch.optim.Optimizer) -> dict[str, Any]:
        """The optimizer's state as that of the whole table would be: a run may go on without cutting."""
        state = optimizer.state_dict()
        return {**state, "state": self._each(optimizer, state["state"], self._widen)}

    def narrowed(self, optimizer: torch.optim.Optimizer, state: dict[str, Any]) -> dict[str, Any]:
        """What ``widened`` gave, for an optimizer of the rows."""
        return {**state, "state": self._each(optimizer, state["state"], self._narrow)}

    def _each(
        self,
        optimizer: torch.optim.Optimizer,
        state: dict[int, Any],
        change: Callable[[Tensor], Tensor],
    ) -> dict[int, Any]:
        """The state with each tensor of the rows' shape, or the table's, changed."""
        parameters = [p for group in optimizer.param_groups for p in group["params"]]
        number = next(n for n, p in enumerate(parameters) if p is self.trained)
        if number not in state:  # no step was made yet
            return state
        shapes = (self.full.shape, self.trained.shape)
        changed = {
            name: change(value) if isinstance(value, Tensor) and value.shape in shapes else value
            for name, value in state[number].items()
        }
        return {**state, number: changed}

    def _widen(self, values: Tensor) -> Tensor:
        whole = values.new_zeros(self.full.shape)
        whole[self.rows] = values
        return whole

    def _narrow(self, values: Tensor) -> Tensor:
        return values[self.rows]


class _Places:
    """A hook that turns token ids into places among the rows."""

    def __init__(self, places: Tensor) -> None:
        self._places = places

    def __call__(self, module: nn.Module, args: Any, kwargs: Any) -> tuple[Any, dict[str, Any]]:
        ids = args[0] if args else kwargs["input"]
        found = self._places[ids]
        if found.min() < 0:
            token = int(ids[found < 0][0])
            raise ValueError(
                f"token {token} is in no row of the data; a method whose `forward` reads other tokens than "
                "those of the rows says `makes_tokens = True`"
            )
        return (found,), {}


def cut_to_rows(trained: nn.Module, kept: nn.Module, tokens: np.ndarray) -> WordRows | None:
    """Puts the rows that occur in the place of a trained structure's word embeddings.

    Args:
        trained: A structural copy that shares its parameters with ``kept``.
        kept: The network whose word embeddings are meant; its table stays whole.
        tokens: The token ids that training can meet, padding among them; any order, no doubles.

    Returns:
        None where all is left as it is: nearly all rows occur, the table is not trained, is tied to
        another layer, is not an ordinary ``nn.Embedding``, or the network is a user's own, which may
        look tokens up in a way of its own.
    """
    table = None if is_own(kept) else embedding_table(kept)
    if table is None or not table.requires_grad or len(tokens) > LARGEST_SHARE * len(table):
        return None
    uses = list(_uses(trained, table))
    if len(uses) != 1:
        return None
    name, module = uses[0]
    plain = type(module) is nn.Embedding and module.max_norm is None
    if not plain or module.scale_grad_by_freq or module.sparse:
        return None
    rows = torch.from_numpy(np.sort(tokens).astype(np.int64))
    return WordRows(name, module, rows)


def _uses(module: nn.Module, table: nn.Parameter) -> Iterator[tuple[str, Any]]:
    """(name of the parameter, module that holds it), for each place of a table."""
    for prefix, part in module.named_modules():
        for name, parameter in part.named_parameters(recurse=False, remove_duplicate=False):
            if parameter is table:
                yield f"{prefix}.{name}" if prefix else name, part
