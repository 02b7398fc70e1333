"""Rows against two networks: which layers face each other, what is read, and what does not fit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from ..errors import Problem, UserError
from ..features.base import Needs, given_by
from ..features.layer_map import describe_pairs, match_layers
from .rows import OF_ATTENTION, OF_TOKENS, WITH_LAYERS, Row


class Pair(NamedTuple):
    """Layers that face each other; hidden state 0 is the embedding output."""

    student: int
    teacher: int


SHARED = "shared"


@dataclass(frozen=True)
class Shape:
    """What of a network decides whether a term fits, and how much of it there is.

    Attributes:
        layers: Depth.
        width: Of its hidden states.
        heads: Of each layer.
        outputs: Logits.
        pieces: Of its layer over the vocabulary; 0 without one.
        head_width: Of a head, where the config says it: heads are not always parts of ``width``. Else 0.
        causal: A token's attention meets none behind it, as in decoders.
        vector: It gives a sentence vector: the mean of its last layer, or one of its own making.
        gives: What a network of the package hands out itself, by name; empty for others.
    """

    layers: int
    width: int
    heads: int
    outputs: int
    causal: bool = False
    vector: bool = True
    gives: tuple[str, ...] = ()
    pieces: int = 0
    head_width: int = 0

    @property
    def queries(self) -> int:
        """Width of the queries of all heads together."""
        return self.head_width * self.heads or self.width

    @classmethod
    def of(cls, model: Any) -> Shape:
        """From a transformers model; 0 for what a model of a user's own does not have."""
        config = model.config
        layers = int(getattr(config, "num_hidden_layers", 0))
        return cls(
            layers,
            int(getattr(config, "hidden_size", 0)),
            int(getattr(config, "num_attention_heads", 0)),
            int(config.num_labels),
            any(getattr(part, "is_causal", False) is True for part in model.modules()),
            layers > 0 or "vector" in given_by(model),
            tuple(sorted(given_by(model))),
            _pieces_of(model),
            int(getattr(config, "head_dim", 0) or 0),
        )


def _pieces_of(model: Any) -> int:
    """Scores of the layer over the vocabulary; 0 for classifiers, which have none."""
    ask = getattr(model, "get_output_embeddings", lambda: None)
    table = getattr(ask(), "weight", None)
    return 0 if table is None else len(table)


@dataclass(frozen=True)
class TermSpec:
    """A row with its layers found.

    Attributes:
        name: In the log and the plan.
        row: What it says.
        pairs: (student, teacher) layers; of a vector (0, 0); empty for logits.
        projections: Pair -> key of the projection that it goes through; empty without one.
        causal: One of the networks is a decoder: no key behind a query is compared.
    """

    name: str
    row: Row
    pairs: tuple[Pair, ...]
    projections: Mapping[Pair, str]
    causal: bool = False

    def describe(self, student: Shape, teacher: Shape, *, softened: bool = True) -> str:
        """One line of the plan; ``softened`` is false where outputs are scores without a temperature."""
        row = self.row
        loss: str = row.loss
        if not softened and loss in ("kl", "cross_entropy"):
            loss = "squared difference"  # what soft labels of a score are
        what = row.feature if row.of is None else f"{row.feature} of {row.of}"
        text = f"{loss} of {what}, weight {row.weight:g}"
        text += f", {row.heads} heads" if row.heads is not None else ""
        if row.temperature is not None and softened:
            text += f", temperature {row.temperature:g}"
        text += "".join(f", {form}" for form in row.forms())
        if row.feature in WITH_LAYERS:
            text += f"; layers {describe_pairs(self.pairs)}"
        if self.projections:
            kind = SHARED if SHARED in self.projections.values() else "per layer"
            text += f"; projection {student.width}→{teacher.width} ({kind})"
        return text


def resolve(
    name: str, row: Row, student: Shape, teacher: Shape
) -> tuple[TermSpec | None, list[Problem]]:
    """Finds a row's layers and projections.

    Returns:
        The term, None if its layers could not be found, and everything that does not fit.
    """
    place = f"distillation.terms.{name}"
    problems: list[Problem] = []
    pairs: tuple[Pair, ...] = ()
    for role, shape in (("student", student), ("teacher", teacher)):
        if (lacking := _not_given(place, row.feature, role, shape)) is not None:
            return None, [lacking]
    if row.feature == "vector":
        pairs = (Pair(0, 0),)
    found = True
    if row.feature in WITH_LAYERS:
        try:
            pairs = _pairs(row, student, teacher)
        except UserError as error:
            problems += [replace(problem, place=place) for problem in error.problems]
            found = False  # heads and widths are looked at all the same
        problems += _out_of_range(place, row, pairs, student, teacher)
    problems += _heads(place, row, student, teacher)
    if row.loss in OF_TOKENS and student.causal != (row.loss == "clm"):
        seen = "reads no token behind it" if student.causal else "reads both sides of a token"
        other = {"mlm": "clm", "clm": "mlm"}[row.loss]
        message = f"the student {seen}: '{row.loss}' teaches it nothing of its texts"
        hint = f"Take the loss '{other}' (alpha_{other})."
        problems.append(Problem(place, message, hint, code="terms.tokens-of-the-other-side"))
    if row.feature == "logits" and row.loss == "cos" and student.outputs == 1:
        message = "the cosine of a single output says nothing about it"
        problems.append(
            Problem(place, message, "Use mse, or kl.", code="terms.cosine-of-one-output")
        )
    if row.feature == "vocabulary" and student.pieces != teacher.pieces:
        message = (
            f"the student's vocabulary has {student.pieces:,} pieces, the teacher's {teacher.pieces:,}: "
            "their scores are compared piece by piece"
        )
        hint = f"Give the student's config vocab_size {teacher.pieces}, or take the term out (weight 0)."
        problems.append(Problem(place, message, hint, code="terms.vocabularies-differ"))
    wider = student.width != teacher.width
    projected = row.projection in ("shared", "per_layer") or (
        wider and row.projection in (None, "auto")
    )
    if row.projection == "none" and wider:
        message = f"the student's width is {student.width}, the teacher's {teacher.width}"
        problems.append(
            Problem(place, message, 'Leave "projection" at "auto".', code="terms.widths-differ")
        )
    keys: dict[Pair, str] = {}
    if projected and row.feature in ("hidden_states", "cls", "vector"):
        for pair in pairs:
            apart = f"{name}_{pair.student}_{pair.teacher}"
            keys[pair] = apart if row.projection == "per_layer" else SHARED
    causal = student.causal or teacher.causal
    return TermSpec(name, row, pairs, keys, causal) if found else None, problems


def _heads(place: str, row: Row, student: Shape, teacher: Shape) -> list[Problem]:
    """Heads that cannot be compared one by one."""
    if row.feature not in OF_ATTENTION:
        return []
    if row.heads is not None:
        sides = {"student": student.queries, "teacher": teacher.queries}
        wrong = [f"the {role}'s {width}" for role, width in sides.items() if width % row.heads]
        if not wrong:
            return []
        message = f"{row.heads} relation heads do not divide {' and '.join(wrong)}"
        hint = "Give 'heads' a number that divides the widths of both networks."
        return [Problem(place, message, hint, code="terms.relation-heads-do-not-divide")]
    if student.heads == teacher.heads:
        return []
    message = (
        f"the student has {student.heads} attention heads, the teacher {teacher.heads}: {row.feature} "
        "are compared head by head"
    )
    hint = f"Give the student {teacher.heads} heads, or take the term out (weight 0)."
    if row.feature == "relations":
        hint = "Give 'heads' a number that divides the widths of both networks."
    return [Problem(place, message, hint, code="terms.head-counts-differ")]


def _not_given(place: str, feature: str, role: str, shape: Shape) -> Problem | None:
    """A feature that cannot be had of a network at all."""
    has = {"logits": True, "vector": shape.vector, "vocabulary": shape.pieces > 0}
    if has.get(feature, shape.layers > 0):
        return None
    if feature == "vocabulary":
        message = f"the {role} has no layer that gives a score to each piece of a vocabulary"
        hint = "Train one first ('model_type': 'MaskedLM'), or take the term out (weight 0)."
        return Problem(place, message, hint, code="terms.no-vocabulary-layer")
    if shape.gives:
        given = list(shape.gives)
        message = f"the {role} has no {feature}: it gives {' and '.join(given)} alone"
        hint = f"Compare {' or '.join(given)}, or take the term out (weight 0)."
        return Problem(place, message, hint, code="terms.not-given")
    lost = f"its {feature} cannot be read"
    if feature == "vector":
        lost = "no layer can be pooled into a sentence vector"
    message = f"the {role}'s config.num_hidden_layers is missing, so {lost}"
    return Problem(
        place, message, "Terms of logits take any network.", code="terms.no-layers-counted"
    )


def _pairs(row: Row, student: Shape, teacher: Shape) -> tuple[Pair, ...]:
    if row.pairs is not None:
        return tuple(Pair(*pair) for pair in row.pairs)
    kind = row.layer_map or ("skip" if row.feature == "cls" else "linear")
    feature = "attention" if row.feature in OF_ATTENTION else "hidden_states"
    found = match_layers(kind, student.layers, teacher.layers, feature)  # type: ignore[arg-type]
    return tuple(Pair(*pair) for pair in found)


def _out_of_range(
    place: str, row: Row, pairs: Iterable[Pair], student: Shape, teacher: Shape
) -> list[Problem]:
    lowest = 1 if row.feature in OF_ATTENTION else 0
    what = "attention layers" if lowest else "hidden states (0 is the embedding output)"
    problems = []
    for role, side, shape in (("student", 0, student), ("teacher", 1, teacher)):
        wrong = sorted({p[side] for p in pairs if not lowest <= p[side] <= shape.layers})
        if wrong:
            names = ", ".join(map(str, wrong))
            message = f"the {role} has no {names}: its {what} go from {lowest} to {shape.layers}"
            problems.append(Problem(place, message, code="terms.layer-out-of-range"))
    return problems


def pooled(row: Row) -> str:
    """How a row's vector is made, as ``Needs.pooling`` says it."""
    return row.pooling if row.pooling not in (None, "mean") else ""


def several_poolings(specs: Iterable[TermSpec]) -> list[Problem]:
    """Vectors of one run are made in one way: a network is read once a step."""
    first: dict[str, str] = {}
    for spec in specs:
        if spec.row.feature == "vector":
            first.setdefault(pooled(spec.row), spec.name)
    if len(first) < 2:
        return []
    names = " and ".join(f"'{name}'" for name in first.values())
    message = f"the terms {names} make their vectors in different ways"
    hint = "Give them the same 'pooling', or take one of them out (weight 0)."
    place = f"distillation.terms.{[*first.values()][-1]}"
    return [Problem(place, message, hint, code="terms.several-poolings")]


def needs_of(specs: Iterable[TermSpec], side: int) -> Needs:
    """What these terms read of the student (side 0) or the teacher (side 1)."""
    logits = vocabulary = vector = padding = values = False
    pooling = ""
    layers: dict[str, set[int]] = {feature: set() for feature in WITH_LAYERS}
    for spec in specs:
        feature = spec.row.feature
        logits |= feature == "logits" and (side == 0 or spec.row.loss != "hard")
        vocabulary |= feature == "vocabulary" and (side == 0 or spec.row.loss not in OF_TOKENS)
        if feature == "vector":
            vector, pooling = True, pooled(spec.row)
        padding |= spec.row.positions == "all"
        values |= spec.row.of == "values"
        if feature in WITH_LAYERS:
            layers[feature] |= {pair[side] for pair in spec.pairs}
    return Needs(
        logits=logits,
        vocabulary=vocabulary,
        vector=vector,
        pooling=pooling,
        hidden_states=tuple(sorted(layers["hidden_states"])),
        attention=tuple(sorted(set().union(*(layers[kind] for kind in OF_ATTENTION)))),
        values=values,
        cls=tuple(sorted(layers["cls"])),
        padding=padding,
    )
