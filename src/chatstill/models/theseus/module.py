"""One place in the network of the replacing phase: a successor layer, or its predecessors."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn


@dataclass
class Heard:
    """What the network passes to layers of each kind in a forward pass (see ``Listener``)."""

    arguments: dict[str, tuple[tuple[Any, ...], dict[str, Any]]] = field(default_factory=dict)


class LikeLayer(nn.Module):
    """Stands where the network expects a layer, and answers for the layer's attributes."""

    def _layer(self) -> nn.Module | None:
        raise NotImplementedError

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            layer = self._layer()
            if layer is None or name.startswith("__"):
                raise
            return getattr(layer, name)


class TheseusModule(LikeLayer):
    """One successor layer and the predecessor layers that it replaces.

    Attributes:
        use_successor: The draw, for training passes. In eval mode the successor always runs.
        predecessor_dropout: Whether ``train()`` reaches the predecessors.
    """

    def __init__(
        self,
        successor: nn.Module,
        predecessors: Sequence[nn.Module],
        *,
        predecessor_dropout: bool,
        kinds: Sequence[str] = (),
        heard: Heard | None = None,
    ) -> None:
        """``kinds`` and ``heard`` are given where layers are of several kinds: see ``Listener``."""
        super().__init__()
        self.successor = successor
        self.predecessors = nn.ModuleList(predecessors)
        self.predecessor_dropout = predecessor_dropout
        self.use_successor = True
        self._kinds = tuple(kinds)
        self._heard = heard
        self.train(successor.training)

    def _layer(self) -> nn.Module | None:
        return self.__dict__.get("_modules", {}).get("successor")

    def train(self, mode: bool = True) -> "TheseusModule":
        """As usual, but predecessors stay in eval mode where their dropout is off."""
        super().train(mode)
        if not self.predecessor_dropout:
            self.predecessors.eval()
        return self

    def forward(self, hidden_states: Tensor, *args: Any, **kwargs: Any) -> Any:
        """What the last layer on the path returns: (B, L, D), or a tuple that begins with it."""
        if self.use_successor or not self.training:
            return self.successor(hidden_states, *args, **kwargs)
        output: Any = hidden_states
        for number, layer in enumerate(self.predecessors):
            if self._heard is not None:
                args, kwargs = self._heard.arguments[self._kinds[number]]
            output = layer(output[0] if isinstance(output, tuple) else output, *args, **kwargs)
        return output


class Listener(LikeLayer):
    """Notes what the network passes to a layer of one kind, and hands the hidden states on.

    Networks with layers of several kinds (full and sliding attention) pick mask and positions by
    the kind of the layer that stands in their list. A successor stands for predecessors of other
    kinds too, so one listener per kind stands in front of the list.
    """

    def __init__(self, kind: str, like: nn.Module, heard: Heard) -> None:
        super().__init__()
        self._kind = kind
        self._heard = heard
        self._like = [like]  # in a list, so that it is no submodule

    def _layer(self) -> nn.Module | None:
        return next(iter(self.__dict__.get("_like", [])), None)

    def forward(self, hidden_states: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        """(B, L, D), unchanged."""
        self._heard.arguments[self._kind] = (args, kwargs)
        return hidden_states
