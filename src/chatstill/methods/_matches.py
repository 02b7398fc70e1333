"""The keys of a method whose terms stand in its block: those of existing files, and rows by name."""

from __future__ import annotations

from typing import Any, ClassVar, Literal, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from ..terms.keys import OldKeys
from ..terms.rows import LEVELS, Match, Row
from ._masking import MaskingKeys


class Config(MaskingKeys, OldKeys):
    """The block ``distillation``; a method file may hold its keys at the top.

    Attributes:
        level: ``task``, or ``pretraining``: networks with a head over the vocabulary, on a corpus.
        masking: Of the pre-training level: as of ``MaskingKeys``, or ``none``: no token is masked.
        terms: Name -> row. A name of the method file with other values changes that term alone;
            weight 0 takes it out.
        matches: Rows of one pair of layers each.
    """

    later: ClassVar[tuple[str, ...]] = tuple(MaskingKeys.model_fields)

    masking: Literal["bert", "distilbert", "none"] = "bert"  # type: ignore[assignment]
    terms: dict[str, Row] = Field(default_factory=dict)
    matches: tuple[Match, ...] = ()

    def rows(self) -> dict[str, Row]:
        """All terms with a weight, by name; soft labels with their temperature."""
        rows = {name: row for name, row in self.terms.items() if row.weight}
        for match in self.matches:
            if match.weight:
                rows[match.name] = match.row()
        return {name: self.softened(row) for name, row in rows.items()} | self.old_rows()

    @field_validator(*(key for key in MaskingKeys.model_fields if key != "note"))
    @classmethod
    def _masks_a_corpus(cls, value: Any, field: ValidationInfo) -> Any:
        if field.data.get("level", "task") == "task":
            raise ValueError(
                "belongs to the pre-training level, where tokens are masked; leave it out"
            )
        return value

    @model_validator(mode="after")
    def _masked_tokens_are_there(self) -> Self:
        for name, row in self.rows().items():
            if self.masking == "none" and (row.loss == "mlm" or row.positions == "masked"):
                raise ValueError(
                    f"the term '{name}' is taken at masked positions, and 'masking' is none"
                )
        return self

    @model_validator(mode="after")
    def _nothing_else_says_how_to_mask(self) -> Self:
        usual = MaskingKeys.model_fields["masked_share"].default  # files of methods may hold it
        if self.masking == "none" and (self.whole_words or self.masked_share != usual):
            key = "whole_words" if self.whole_words else "masked_share"
            raise ValueError(f"'{key}' has no effect: 'masking' is none")
        return self

    @model_validator(mode="after")
    def _features_are_of_the_level(self) -> Self:
        for name, row in self.rows().items():
            other = LEVELS.get(row.feature, self.level)
            if other != self.level:
                words = {"task": "the task level", "pretraining": "the pre-training level"}
                raise ValueError(
                    f"the term '{name}' compares {row.feature}, which networks of {words[other]} have; this "
                    f"is {words[self.level]}"
                )
        return self

    @model_validator(mode="after")
    def _names_are_terms_of_their_own(self) -> Self:
        for name in self.terms:
            # A point parts the names of modules, and the suffix those of the log.
            if not name or "." in name or name.endswith("_weighted"):
                raise ValueError(
                    f"'{name}' can't name a term: no point, nothing that ends in _weighted, not empty"
                )
        names = [*self.terms, *(match.name for match in self.matches), *self.old_rows()]
        twice = [name for name in names if names.count(name) > 1]
        if twice:
            raise ValueError(f"the term '{twice[0]}' stands there twice")
        return self
