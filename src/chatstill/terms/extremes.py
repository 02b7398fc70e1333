"""Knobs of terms that are allowed and train nothing, or overflow: told before training."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ..errors import Problem, Said
from .rows import Row

TEMPERATURES = (0.01, 10_000.0)
WEIGHTS = (1e-6, 1e6)
HIGHEST_SCORE = 100.0  # of raw attention scores; those of trained networks are mostly below 30


def extremes(rows: Mapping[str, Row]) -> list[Problem]:
    """A warning for each value far from any that is in use.

    Args:
        rows: The terms with a weight, by name.
    """
    heaviest = max((row.weight for row in rows.values()), default=1.0)
    return [
        Problem(f"term {name}", said.message, said.hint, "warning", code=said.code)
        for name, row in rows.items()
        for said in (*_of_temperature(row), *_of_weight(row, heaviest), *_of_scores(row))
    ]


def _of_temperature(row: Row) -> Iterator[Said]:
    if row.temperature is None:
        return
    lowest, highest = TEMPERATURES
    value, usual = f"temperature {row.temperature:g}", "Usual temperatures are 1 to 20."
    if row.temperature < lowest and row.loss == "mse":
        yield Said(
            f"{value} makes its value and gradient overflow",
            usual,
            code="terms.temperature-overflows",
        )
    elif row.temperature < lowest:
        yield Said(
            f"{value} makes hard answers of soft labels and leaves next to no gradient",
            usual,
            code="terms.temperature-too-low",
        )
    elif row.temperature > highest and row.loss == "mse":
        yield Said(
            f"{value} divides the difference of logits away: nothing is learnt from it",
            usual,
            code="terms.difference-divided-away",
        )
    elif row.temperature > highest:
        yield Said(
            f"{value} makes all soft labels equal: nothing of the teacher is left in them",
            usual,
            code="terms.temperature-too-high",
        )


def _of_weight(row: Row, heaviest: float) -> Iterator[Said]:
    lowest, highest = WEIGHTS
    if row.weight > highest:
        message = f"weight {row.weight:g} lets the loss and its gradients overflow"
        yield Said(message, "Usual is about 1.", code="terms.weight-overflows")
    elif row.weight < lowest * max(heaviest, 1.0):
        beside = f" beside the largest, {heaviest:g}" if heaviest > row.weight else ""
        hint = "Weight 0 takes the term out; the weights of the papers are 0.1 to 500."
        message = f"weight {row.weight:g} is too small to change anything{beside}"
        yield Said(message, hint, code="terms.weight-too-small")


def _of_scores(row: Row) -> Iterator[Said]:
    if row.zero_below is not None and row.zero_below >= HIGHEST_SCORE:
        message = (
            f"zero_below {row.zero_below:g} makes 0 of every attention score: nothing is compared"
        )
        hint = "-100 leaves out masked scores alone (TinyBERT's code); null leaves out none."
        yield Said(message, hint, code="terms.all-scores-zero")
