"""A student of LTD-BERT: words weighted by how rare they are, a BiLSTM, a vector of the teacher's width.

A text's vector is the mean of the BiLSTM's states, weighted by the words' inverse document frequencies and
mapped to the width of the teacher's states. It approximates the teacher's sentence vector, as in sentence
representation approximation (arXiv 2004.03097); the weights by IDF are this package's reading of the name.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

from pydantic import Field

from ..base import NetworkBlock, Start
from ..word_network import VectorsBlock, WordNetwork

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

    from .model import LtdForSequenceClassification

TEXTS = "texts"


class LtdBlock(VectorsBlock):
    """Keys of ``network`` for ``"model_type": "ltd"``.

    Attributes:
        width: Of a word's vector.
        units: Of the LSTM of each direction.
        layers: Of the BiLSTM.
        pooling: ``weighted`` (mean of the states by the words' weights), ``max`` or ``attention``.
        vector_width: Of a text's vector; left out: of the teacher's states, or 2 ``units`` without a teacher.
        hidden: Width of the layer before the classifier; 0 leaves it out.
        dropout: Of weighted word vectors, between layers, before the hidden layer and before the classifier.
        train_vectors: Whether word vectors are trained; otherwise they stay as they start.
        idf: How rare words are: counted in the training ``texts``, or a file with a word and a number a line
            (one space as jieba's ``idf.txt``, or TAB).
        unknown_idf: Of words that are not known: the ``largest`` of the known ones, their ``median`` as jieba
            takes it, or a number.
    """

    width: int = Field(default=128, ge=1, le=16_384)
    units: int = Field(default=150, ge=1, le=8_192)
    layers: int = Field(default=1, ge=1, le=16)
    pooling: Literal["weighted", "max", "attention"] = "weighted"
    vector_width: int | None = Field(default=None, ge=1, le=16_384)
    hidden: int = Field(default=200, ge=0, le=16_384)
    dropout: float = Field(default=0.2, ge=0, lt=1)
    train_vectors: bool = True
    idf: str = TEXTS
    unknown_idf: Literal["largest", "median"] | float = Field(default="largest", union_mode="smart")


class Ltd(WordNetwork):
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

        keys = cast(LtdBlock, block)
        unknown = tokenizer.unk_token_id
        return LtdConfig(
            vocab_size=len(tokenizer),
            embedding_size=keys.width,
            lstm_size=keys.units,
            lstm_layers=keys.layers,
            pooling=keys.pooling,
            vector_size=keys.vector_width,
            classifier_size=keys.hidden,
            dropout=keys.dropout,
            train_vectors=keys.train_vectors,
            texts=1 + pairs,
            not_words=sorted({*tokenizer.all_special_ids} - {unknown}),
            pad_token_id=tokenizer.pad_token_id,
            sep_token_id=tokenizer.sep_token_id,
        )

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


PLACE = "student_architectures.network.idf"
