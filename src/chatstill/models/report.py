"""What happened to every tensor when weights were loaded into a network."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from transformers import PreTrainedModel

from .layers import find_layers

# Buffers that old checkpoints carry and that are computed since; leaving them out changes nothing.
COMPUTED = (
    ".position_ids",
    ".token_type_ids",
    "rotary_emb.inv_freq",
    ".attn.bias",
    ".attn.masked_bias",
    ".attn.attention.bias",
    ".attn.attention.masked_bias",
    ".attn.causal_mask",
)


RANDOM_WEIGHTS = "random weights"


class Mismatch(NamedTuple):
    """A tensor whose shape in the weights is not the network's."""

    name: str
    found: tuple[int, ...]
    expected: tuple[int, ...]


@dataclass(frozen=True)
class LoadReport:
    """What was loaded and what was not.

    Attributes:
        source: The folder, file or hub name; empty for random weights.
        loaded: Names that were filled from the weights.
        missing: Names of the network that the weights lack: newly initialised.
        unexpected: Names of the weights that the network lacks: left out.
        mismatched: Present on both sides in different shapes: newly initialised.
        num_layers: Layers of the network.
        num_layers_loaded: Layers of which most tensors were loaded.
        renamed: What the outputs of a trained classifier were called that goes on under other names, and
            these.
        otherwise: What the architecture's file says otherwise than the weights' own: key, theirs, its own.
    """

    source: str
    loaded: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    mismatched: list[Mismatch] = field(default_factory=list)
    num_layers: int = 0
    num_layers_loaded: int = 0
    renamed: tuple[list[str], list[str]] | None = None
    otherwise: list[tuple[str, object, object]] = field(default_factory=list)

    @property
    def complete(self) -> bool:
        """Whether every tensor of the network came from the weights."""
        return bool(self.loaded) and not self.missing and not self.mismatched

    def summary(self) -> str:
        """One line for the plan and the log."""
        if not self.source:
            return f"{RANDOM_WEIGHTS} ({len(self.missing)} tensors)"
        parts = [
            f"{self.source}: {len(self.loaded)} tensors loaded, "
            f"{self.num_layers_loaded} of {self.num_layers} layers"
        ]
        if self.missing:
            parts.append(f"new: {_short(self.missing)}")
        if self.mismatched:
            shapes = [
                f"{name} ({found} there, {wanted} here)" for name, found, wanted in self.mismatched
            ]
            parts.append(f"new, other shape: {_short(shapes)}")
        if self.unexpected:
            parts.append(f"left out: {_short(self.unexpected)}")
        if self.otherwise:
            said = [f"{name} {there} there, {here} here" for name, there, here in self.otherwise]
            parts.append(f"the config.json beside it says otherwise: {', '.join(said)}")
        if self.renamed:
            before, now = map(_short, self.renamed)
            parts.append(f"outputs called {before} there are trained as {now}")
        return "; ".join(parts)


def make_report(model: PreTrainedModel, info: dict[str, Any], source: str) -> LoadReport:
    """The report of ``from_pretrained(..., output_loading_info=True)``."""
    mismatched = sorted(
        Mismatch(name, tuple(found), tuple(expected))
        for name, found, expected in info["mismatched_keys"]
    )
    missing = set(info["missing_keys"])
    not_loaded = missing | {item.name for item in mismatched}
    state = list(model.state_dict())
    loaded = [name for name in state if name not in not_loaded]
    layers = [one for one in _layers_of(model) if any(name.startswith(one) for name in state)]
    # Of weights of another width a bias may fit by chance.
    done = {layer for layer in layers if 2 * _inside(layer, loaded) > _inside(layer, state)}
    return LoadReport(
        source=source,
        loaded=loaded,
        missing=sorted(missing),
        unexpected=sorted(name for name in info["unexpected_keys"] if not name.endswith(COMPUTED)),
        mismatched=mismatched,
        num_layers=len(layers),
        num_layers_loaded=len(done),
    )


def _inside(layer: str, names: Iterable[str]) -> int:
    return sum(name.startswith(layer) for name in names)


def _layers_of(model: PreTrainedModel) -> list[str]:
    """Prefixes of the layers; where they are no plain list, of all the body but the embeddings."""
    name = find_layers(model)
    if name is not None:
        return [f"{name}.{index}." for index in range(model.config.num_hidden_layers)]
    body = model.base_model
    prefix = f"{model.base_model_prefix}." if body is not model else ""
    return [
        f"{prefix}{child}." for child, _ in body.named_children() if "embed" not in child.lower()
    ]


def _short(names: list[str], limit: int = 4) -> str:
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + more
