"""A row of a distillation loss as a method file writes it. Nothing here loads torch."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from ..features.layer_map import MatchType

Feature = Literal[
    "logits",
    "vocabulary",
    "hidden_states",
    "attention_scores",
    "attention_probabilities",
    "relations",
    "cls",
    "vector",
]
Loss = Literal["hard", "kl", "cross_entropy", "mse", "cos", "patience", "mlm", "clm"]

LOSSES: dict[str, tuple[str, ...]] = {
    "logits": ("hard", "kl", "cross_entropy", "mse", "cos"),
    "vocabulary": ("kl", "mlm", "clm", "mse"),
    "hidden_states": ("mse", "cos"),
    "attention_scores": ("mse", "cos"),
    "attention_probabilities": ("kl",),
    "relations": ("kl",),
    "cls": ("patience", "cos"),
    "vector": ("mse", "cos"),
}
"""Feature -> the losses that it can be compared by."""

OF_ATTENTION = ("attention_scores", "attention_probabilities", "relations")
WITH_LAYERS = ("hidden_states", *OF_ATTENTION, "cls")
SOFT = ("kl", "cross_entropy")  # losses of soft labels
OF_TOKENS = ("mlm", "clm")  # losses of what stands in the text
PIECES_KL = ("vocabulary", "kl")
LEVELS = {"logits": "task", "vocabulary": "pretraining"}
"""Features that networks of one level alone have."""

_REDUCTIONS = {("logits", loss): ("batchmean", "mean") for loss in SOFT}
_REDUCTIONS |= {("cls", "patience"): ("sum", "mean")}
_REDUCTIONS |= {("vocabulary", loss): ("batchmean", "mean") for loss in ("kl", "mse")}


class Compared(BaseModel):
    """What is compared and how: the keys that a row and a match have in common.

    A key that has no meaning for the feature and loss is an error. Weight 0 takes the term out.

    Attributes:
        feature: ``logits``, ``vocabulary`` (the scores of all pieces at each position; pre-training level),
            ``hidden_states``, ``attention_scores`` (before the softmax), ``attention_probabilities``,
            ``relations`` (softmax of the products of a layer's queries, keys or values with each other),
            ``cls`` (the first token's hidden state) or ``vector`` (of the whole row).
        loss: ``hard`` (gold labels), ``mlm`` (masked tokens), ``clm`` (next tokens), ``kl``,
            ``cross_entropy``, ``mse``, ``cos`` or ``patience``.
        weight: Factor in the total.
        temperature: Of ``kl`` and ``cross_entropy`` (default 1), and a divisor of ``mse`` of logits.
        temperature_squared: Whether soft labels are multiplied by temperature²; default true.
        reduction: ``mean`` divides soft labels by the number of classes or pieces too, and patience by
            layers x width; defaults ``batchmean`` and ``sum``. ``mse`` of the vocabulary is divided by
            positions x pieces (``mean``), or by positions alone (``batchmean``), as in DistilBERT's code.
        positions: ``valid`` (default), or ``all``: padding counts, as in TinyBERT's code. Of the vocabulary
            ``valid`` or ``masked``: those that were masked alone.
        zero_below: Raw attention scores up to this value count as 0.
        projection: Linear map with bias from the student's width to the teacher's. ``auto`` (default):
            a shared one where widths differ; ``shared``: always; ``per_layer``: one for each pair;
            ``none``.
        normalize: Vectors of length 1: of patience (default true), of ``mse`` of vectors (default false).
        pooling: What of the last layer's states a ``vector`` is: their ``mean`` (default), the first
            token's (``cls``), or their mean ``weighted`` by how rare a token is in the training texts, or a
            word where the student weighs words. ``weighted_characters`` shares a word's weight by its
            characters, as a public script of LTD-BERT does. A network that hands out a vector gives its own.
        of: Of ``relations``: ``queries``, ``keys`` or ``values``.
        heads: Of ``relations``: into how many heads they are parted on both sides; left out, those of the
            networks, which have to have as many as each other.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    note: Any = None
    feature: Feature
    loss: Loss
    weight: float = Field(default=1.0, ge=0, allow_inf_nan=False)
    temperature: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    temperature_squared: bool | None = None
    reduction: Literal["batchmean", "sum", "mean"] | None = None
    positions: Literal["valid", "all", "masked"] | None = None
    zero_below: float | None = None
    projection: Literal["auto", "shared", "per_layer", "none"] | None = None
    normalize: bool | None = None
    pooling: Literal["mean", "cls", "weighted", "weighted_characters"] | None = None
    of: Literal["queries", "keys", "values"] | None = None
    heads: int | None = Field(default=None, ge=1, le=4096)


class Row(Compared):
    """One term: what is compared, and over which layers.

    Attributes:
        layer_map: Which layers face each other, by name; default ``linear``, for ``cls`` ``skip``.
        pairs: The same by hand: [student, teacher], hidden state 0 is the embedding output.
    """

    layer_map: MatchType | None = None
    pairs: tuple[tuple[int, int], ...] | None = None

    @model_validator(mode="after")
    def _keys_have_a_meaning(self) -> Self:
        known = LOSSES[self.feature]
        if self.loss not in known:
            raise ValueError(
                f"the loss '{self.loss}' does not compare {self.feature}; it takes {', '.join(known)}"
            )
        meaningless = [
            key
            for key, meant in _meant(self.feature, self.loss).items()
            if not meant and getattr(self, key) is not None
        ]
        if meaningless:
            raise ValueError(
                f"'{meaningless[0]}' has no meaning for the loss '{self.loss}' of {self.feature}"
            )
        if self.feature == "relations" and self.of is None:
            raise ValueError("'of' is missing: queries, keys or values")
        if self.layer_map is not None and self.pairs is not None:
            raise ValueError("'layer_map' and 'pairs' are both set; keep one of them")
        places = ("valid", "masked" if self.feature == "vocabulary" else "all")
        if self.positions is not None and self.positions not in places:
            raise ValueError(f"'positions' of {self.feature} is {' or '.join(places)}")
        allowed = _REDUCTIONS.get((self.feature, self.loss), ())
        if self.reduction is not None and self.reduction not in allowed:
            raise ValueError(f"'reduction' of the loss '{self.loss}' is {' or '.join(allowed)}")
        if self.pairs is not None and (
            not self.pairs or any(layer < 0 for pair in self.pairs for layer in pair)
        ):
            raise ValueError("'pairs' needs at least one pair [student, teacher], none below 0")
        return self

    def forms(self) -> list[str]:
        """In words, what differs from the papers' form: a weight means little without it."""
        found = {
            "no temperature²": self.temperature_squared is False,
            "mean over classes too": self.reduction == "mean" and self.feature == "logits",
            "mean over pieces too": self.reduction == "mean"
            and (self.feature, self.loss) == PIECES_KL,
            "summed over pieces": self.reduction == "batchmean" and self.loss == "mse",
            "mean over layers and width": self.reduction == "mean" and self.loss == "patience",
            "padding counts": self.positions == "all",
            "at masked positions": self.positions == "masked",
            f"scores up to {self.zero_below} as 0": self.zero_below is not None,
            "not normalised": self.normalize is False,
            "of the first token": self.pooling == "cls",
            "weighted by inverse document frequency": self.pooling == "weighted",
            "weighted by that of words, by character": self.pooling == "weighted_characters",
            "vectors of length 1": self.normalize is True and self.feature == "vector",
        }
        return [words for words, differs in found.items() if differs]


class Match(Compared):
    """One pair of layers and what is compared there: a row of the list ``matches``.

    Attributes:
        student_layer: Hidden state or layer of the student; not for logits and vectors.
        teacher_layer: That of the teacher.
    """

    student_layer: int | None = Field(default=None, ge=0)
    teacher_layer: int | None = Field(default=None, ge=0)

    @model_validator(mode="after")
    def _is_a_row(self) -> Self:
        layers = (self.student_layer, self.teacher_layer)
        if self.feature in WITH_LAYERS and None in layers:
            raise ValueError(f"{self.feature} needs 'student_layer' and 'teacher_layer'")
        if self.feature not in WITH_LAYERS and layers != (None, None):
            raise ValueError(f"{self.feature} has no layers")
        self.row()
        return self

    def row(self) -> Row:
        """The same as a term of one pair."""
        values = self.model_dump(exclude={"student_layer", "teacher_layer"})
        if self.student_layer is not None and self.teacher_layer is not None:
            values["pairs"] = ((self.student_layer, self.teacher_layer),)
        return Row(**values)

    @property
    def name(self) -> str:
        """``hidden_states_mse_1_2``: how the term is called in the log."""
        parts: list[str] = [self.feature, self.loss]
        if self.student_layer is not None:
            parts += [str(self.student_layer), str(self.teacher_layer)]
        parts += [self.of] if self.of is not None else []
        return "_".join(parts)


def _meant(feature: str, loss: str) -> dict[str, bool]:
    """Which of the optional keys say something for this feature and loss."""
    with_layers = feature in WITH_LAYERS
    softened = loss in SOFT and feature not in OF_ATTENTION
    return {
        "layer_map": with_layers,
        "pairs": with_layers,
        "temperature": softened or (feature == "logits" and loss == "mse"),
        "temperature_squared": softened,
        "reduction": (feature, loss) in _REDUCTIONS,
        "positions": feature in ("hidden_states", "attention_probabilities", "relations")
        or (feature == "vocabulary" and loss not in OF_TOKENS)
        or (feature == "attention_scores" and loss == "mse"),
        "zero_below": feature == "attention_scores" and loss == "mse",
        "projection": feature in ("hidden_states", "cls", "vector"),
        "normalize": loss == "patience" or (feature, loss) == ("vector", "mse"),
        "pooling": feature == "vector",
        "of": feature == "relations",
        "heads": feature == "relations",
    }
