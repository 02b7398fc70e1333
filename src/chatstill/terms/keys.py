"""The keys that users' method files already have, as rows."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from typing import Any, Literal

from pydantic import BaseModel, Field, ValidationInfo, field_validator

from ..errors import Problem
from ..features.layer_map import MatchType
from .rows import OF_ATTENTION, SOFT, Row

Weight = bool | float
_HIDDEN_TYPE = Literal["linear", "top", "bottom", "only_top", "only_bottom"]
PRETRAINING = ("alpha_ce", "alpha_mlm", "alpha_clm")
TASK = ("task_ce", "task_cos", "task_cros", "task_pkd")
OF_LOGITS = ("alpha_mse", "task_ce", "task_cos", "task_cros")
OF_LAYERS = ("alpha_cos", "hidden_mse", "hidden_cos", "att_mse", "att_cos", "task_pkd")
OUT, MASKED = '"weight": 0', '"positions": "masked"'
INSTEAD = {"alpha_ce": "task_ce", "task_ce": "alpha_ce"}  # what the other level calls it


class OldKeys(BaseModel):
    """Names and formulas of existing method files; a weight may be true (1) or false (0).

    Attributes:
        level: ``task``: rows with labels; ``pretraining``: a corpus.
        alpha_ce: Pre-training level: soft labels over the vocabulary.
        alpha_mlm: Pre-training level: masked tokens.
        alpha_clm: Pre-training level: next tokens, of a decoder.
        restrict_ce_to_mask: Pre-training level: ``alpha_ce`` over masked tokens alone.
        alpha_mse: Squared difference of logits; at the pre-training level of the scores of the vocabulary.
        alpha_cos: 1 - cos of the last hidden states.
        use_hidden_states: False takes ``hidden_mse`` and ``hidden_cos`` out.
        hidden_match_type: Their layer map.
        hidden_mse: Squared difference of hidden states.
        hidden_cos: 1 - cos of hidden states.
        use_attentions: False takes ``att_mse`` and ``att_cos`` out.
        att_match_type: Their layer map.
        att_mse: Squared difference of raw attention scores.
        att_cos: 1 - cos of a query's raw scores.
        task_ce: Soft labels, temperature² x KL; regression: squared difference.
        task_cos: 1 - cos of the logits.
        task_cros: Hard labels.
        task_pkd: Patience over PKD's map.
        pkd_match_type: ``skip`` or ``last``.
        reduction: Of ``task_pkd``: ``mean`` is the public code's. Of ``alpha_mse`` at the pre-training level:
            ``sum`` over the vocabulary, as the public code of DistilBERT has it, or ``mean``, the default.
        temperature: Of ``task_ce``, and of every soft term that names none.
    """

    level: Literal["task", "pretraining"] = "task"
    alpha_ce: Weight = 0.0
    alpha_mlm: Weight = 0.0
    alpha_clm: Weight = 0.0
    restrict_ce_to_mask: bool = False
    alpha_mse: Weight = 0.0
    alpha_cos: Weight = 0.0
    use_hidden_states: bool | None = None
    hidden_match_type: _HIDDEN_TYPE = "linear"
    hidden_mse: Weight = 0.0
    hidden_cos: Weight = 0.0
    use_attentions: bool | None = None
    att_match_type: _HIDDEN_TYPE = "linear"
    att_mse: Weight = 0.0
    att_cos: Weight = 0.0
    task_ce: Weight = 0.0
    task_cos: Weight = 0.0
    task_cros: Weight = 0.0
    task_pkd: Weight = 0.0
    pkd_match_type: Literal["skip", "last"] = "skip"
    reduction: Literal["sum", "mean"] = "sum"
    temperature: float | None = Field(default=None, gt=0, allow_inf_nan=False)

    @field_validator(*PRETRAINING, *TASK, "restrict_ce_to_mask")
    @classmethod
    def _of_this_level(cls, weight: Weight, field: ValidationInfo) -> Weight:
        name, level = str(field.field_name), field.data.get("level", "task")
        others = "task" if name in TASK else "pretraining"
        off = "false" if isinstance(weight, bool) else "0"
        if weight and level != others:
            words = {"task": "task", "pretraining": "pre-training"}
            at = {"task": "on a task", "pretraining": "on a corpus"}[level]
            instead = f"; {at} it is called {INSTEAD[name]}" if name in INSTEAD else ""
            raise ValueError(f"belongs to the {words[others]} level{instead}. Set it to {off}")
        return weight

    @field_validator(*PRETRAINING, *OF_LOGITS, *OF_LAYERS)
    @classmethod
    def _not_below_0(cls, weight: Weight) -> Weight:
        if not 0 <= weight < math.inf:
            raise ValueError("is a weight: a number from 0 on")
        return weight

    @classmethod
    def old_keys(cls) -> tuple[str, ...]:
        """Names of existing files that stand at the top of a user's file too."""
        return tuple(key for key in OldKeys.model_fields if key != "level")

    def old_rows(self) -> dict[str, Row]:
        """The terms of these keys, by key; weight 0 is left out."""
        hidden, scores = self.hidden_match_type, self.att_match_type
        table: dict[str, Mapping[str, Any]] = self._of_level() | {
            "alpha_cos": _layers("hidden_states", "cos", "only_top"),
        }
        if self.use_hidden_states is not False:
            table |= {f"hidden_{x}": _layers("hidden_states", x, hidden) for x in ("mse", "cos")}
        if self.use_attentions is not False:
            table |= {f"att_{x}": _layers("attention_scores", x, scores) for x in ("mse", "cos")}
        rows = {}
        for key, values in table.items():
            weight = float(getattr(self, key))
            if weight:
                rows[key] = Row(**values, weight=weight)
        return rows

    def _of_level(self) -> dict[str, Mapping[str, Any]]:
        """Keys that read outputs, which are of one level."""
        soft = {"loss": "kl", "temperature": self.temperature}
        if self.level == "task":
            pkd = _layers("cls", "patience", self.pkd_match_type)
            return {
                "alpha_mse": {"feature": "logits", "loss": "mse"},
                "task_ce": {"feature": "logits", **soft},
                "task_cos": {"feature": "logits", "loss": "cos"},
                "task_cros": {"feature": "logits", "loss": "hard"},
                "task_pkd": pkd | {"reduction": self.reduction},
            }
        where = "masked" if self.restrict_ce_to_mask else None
        summed = "reduction" in self.model_fields_set and self.reduction == "sum"
        return {
            "alpha_ce": {"feature": "vocabulary", "positions": where, **soft},
            "alpha_mlm": {"feature": "vocabulary", "loss": "mlm"},
            "alpha_clm": {"feature": "vocabulary", "loss": "clm"},
            "alpha_mse": {
                "feature": "vocabulary",
                "loss": "mse",
                "reduction": "batchmean" if summed else None,
            },
        }

    def softened(self, row: Row) -> Row:
        """A term of soft labels that names no temperature takes this one."""
        takes_one = row.loss in SOFT and row.feature not in OF_ATTENTION
        if not takes_one or row.temperature is not None or self.temperature is None:
            return row
        return row.model_copy(update={"temperature": self.temperature})

    def without_effect(self, rows: Mapping[str, Row]) -> list[Problem]:
        """Warnings about keys that change nothing, or less than they seem to.

        Args:
            rows: All terms with a weight.
        """
        return [
            *self._beside(rows),
            *self._unread(rows),
            *self._maps_of_nothing(rows),
            *self._not_of_own_terms(rows),
        ]

    def _beside(self, rows: Mapping[str, Row]) -> list[Problem]:
        """Terms of these keys come on top of those that a method file names."""
        of_these_keys = self.old_rows()
        others = [name for name in rows if name not in of_these_keys]
        if not of_these_keys or not others:
            return []
        added, named = (
            ", ".join(f"'{name}'" for name in of_these_keys),
            ", ".join(f"'{n}'" for n in others),
        )
        shown = ", ".join(f'"{name}": {{"weight": 0}}' for name in others)
        message = (
            f"{added} come on top of the method's own terms, {named}: the total holds them all"
        )
        hint = f'Without those: "terms": {{{shown}}}'
        return [
            Problem("distillation", message, hint, "warning", code="terms.beside-the-methods-own")
        ]

    def _not_of_own_terms(self, rows: Mapping[str, Row]) -> list[Problem]:
        """Switches that hold for the terms of these keys alone, beside terms that they do not reach."""
        others = {name: row for name, row in rows.items() if name not in self.old_rows()}
        asked: list[tuple[str, bool, Callable[[Row], bool], str]] = [
            ("restrict_ce_to_mask", self.restrict_ce_to_mask, _soft_everywhere, MASKED),
            ("use_hidden_states", self.use_hidden_states is False, _of_states, OUT),
            ("use_attentions", self.use_attentions is False, _of_attention, OUT),
        ]
        problems = []
        for key, said, unreached, change in asked:
            name = next((name for name, row in others.items() if said and unreached(row)), None)
            if name is None:
                continue
            message = f"does not hold for the method's own term '{name}'"
            hint = f'Change it there: "terms": {{"{name}": {{{change}}}}}'
            place = f"distillation.{key}"
            told = Problem(place, message, hint, "warning", code="terms.switch-not-of-own-terms")
            problems.append(told)
        return problems

    def _maps_of_nothing(self, rows: Mapping[str, Row]) -> list[Problem]:
        """Maps of terms that have no weight; files that list every key with its default are fine."""
        problems = []
        for key, use, terms in (
            ("hidden_match_type", "use_hidden_states", ("hidden_mse", "hidden_cos")),
            ("att_match_type", "use_attentions", ("att_mse", "att_cos")),
        ):
            asked = [use] if getattr(self, use) else []
            asked += [key] if getattr(self, key) != "linear" else []
            if (
                asked
                and (getattr(self, use) is not False or key in self.model_fields_set)
                and not any(term in rows for term in terms)
            ):
                message = f"has no effect: {' and '.join(terms)} have no weight"
                problems.append(
                    Problem(
                        f"distillation.{asked[0]}",
                        message,
                        severity="warning",
                        code="terms.map-of-nothing",
                    )
                )
        return problems

    def _unread(self, rows: Mapping[str, Row]) -> list[Problem]:
        """Values that terms have of their own."""
        asked = {
            "temperature": ("soft labels", SOFT, "temperature"),
            "reduction": ("patience", ("patience",), "reduction"),
            "pkd_match_type": ("patience", ("patience",), "layer_map"),
        }
        problems = []
        for key, (what, losses, attribute) in asked.items():
            value = getattr(self, key)
            terms = {
                name: getattr(row, attribute) for name, row in rows.items() if row.loss in losses
            }
            if key not in self.model_fields_set or value is None:
                continue
            if key == "reduction" and "alpha_mse" in rows and self.level == "pretraining":
                continue
            if not terms and value in (1, "sum", "skip"):  # the defaults
                continue
            if not terms:
                message = f"has no effect: there is no term of {what}"
                problems.append(
                    Problem(
                        f"distillation.{key}",
                        message,
                        severity="warning",
                        code="terms.key-of-nothing",
                    )
                )
                continue
            others = {n: of for n, of in terms.items() if of != value and n not in self.old_rows()}
            if not others:
                continue
            name, other = next(iter(others.items()))
            told = f"'{name}' has {other}" if other is not None else f"'{name}' does not read it"
            shown = f'"terms": {{"{name}": {{"{attribute}": {json.dumps(value)}}}}}'
            problems.append(
                Problem(
                    f"distillation.{key}",
                    f"does not hold for all terms of {what}: {told}",
                    f'Set it there: "distillation": {{{shown}}}',
                    severity="warning",
                    code="terms.key-not-of-all",
                )
            )
        return problems


def _of_states(row: Row) -> bool:
    return row.feature == "hidden_states"


def _of_attention(row: Row) -> bool:
    return row.feature in OF_ATTENTION


def _soft_everywhere(row: Row) -> bool:
    """Soft labels over the vocabulary, at other positions than the masked ones too."""
    return row.feature == "vocabulary" and row.loss in SOFT and row.positions != "masked"


def _layers(feature: str, loss: str, layer_map: MatchType) -> dict[str, Any]:
    return {"feature": feature, "loss": loss, "layer_map": layer_map}
