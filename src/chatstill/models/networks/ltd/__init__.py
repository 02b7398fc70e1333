"""A student of LTD-BERT: words weighted by how rare they are, a BiLSTM, a vector of the teacher's width.

A text's vector is the mean of the BiLSTM's states, weighted by the words' inverse document frequencies and
mapped to the width of the teacher's states. It approximates the teacher's sentence vector, as in sentence
representation approximation (arXiv 2004.03097); the weights by IDF are this package's reading of the name.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

from pydantic import Field

from ..base import NetworkBlock, Start
from ..bilstm import BiLstm, BiLstmBlock

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

    from .model import LtdForSequenceClassification

TEXTS = "texts"
PLACE = "student_architectures.network.idf"
Weight = Annotated[float, Field(ge=0, le=1e6, allow_inf_nan=False)]


class LtdBlock(BiLstmBlock):
    """Keys of ``network`` for ``"model_type": "ltd"``: those of the BiLSTM, and of weights.

    Attributes:
        pooling: ``weighted`` (mean of the states by the words' weights), ``max`` or ``attention``.
        vector_width: Of a text's vector; left out: of the teacher's states, or 2 ``units`` without a teacher.
        idf: How rare words are: counted in the training ``texts``, or a file with a word and a number a line
            (one space as jieba's ``idf.txt``, or TAB).
        unknown_idf: Of words that are not known: the ``largest`` of the known ones, their ``median`` as jieba
            takes it, or a number.
    """

    pooling: Literal["weighted", "max", "attention"] = "weighted"  # type: ignore[assignment]
    vector_width: int | None = Field(default=None, ge=1, le=16_384)
    idf: str = TEXTS
    unknown_idf: Literal["largest", "median"] | Weight = "largest"


class Ltd(BiLstm):
    """See the module."""

    model_type = "ltd"
    summary = "words by how rare they are, a BiLSTM, a vector of the teacher's width"
    Block = LtdBlock

    @classmethod
    def classes(cls) -> tuple[type[Any], type[Any]]:
        from .model import LtdConfig, LtdForSequenceClassification

        return LtdConfig, LtdForSequenceClassification

    @classmethod
    def build_config(
        cls, block: NetworkBlock, tokenizer: PreTrainedTokenizerBase, *, pairs: bool
    ) -> PretrainedConfig:
        from .model import LtdConfig

        keys, unknown = cast(LtdBlock, block), tokenizer.unk_token_id
        sizes = cls.sizes(keys, tokenizer, pairs=pairs)
        sizes["not_words"] = [number for number in sizes["not_words"] if number != unknown]
        return LtdConfig(vector_size=keys.vector_width, **sizes)

    @classmethod
    def suit(cls, config: PretrainedConfig, teacher: PretrainedConfig) -> None:
        width = getattr(teacher, "hidden_size", None)
        if config.vector_size is None and width:
            config.vector_size = config.hidden_size = int(width)

    @classmethod
    def fill(cls, model: PreTrainedModel, block: NetworkBlock, start: Start) -> list[str]:
        from .weights import weights_of

        keys = cast(LtdBlock, block)
        table, line = weights_of(keys, start, PLACE)
        cast("LtdForSequenceClassification", model).weigh(table)
        return [*super().fill(model, block, start), line]

    @classmethod
    def files(cls, block: NetworkBlock) -> Mapping[str, str]:
        keys = cast(LtdBlock, block)
        named = {} if keys.idf == TEXTS else {"idf": str(Path(keys.idf))}
        return {**super().files(block), **named}
