"""A static student: word vectors, their mean, and a small classifier. No attention, no order of words.

A row of one text is h, the mean of its words' vectors; of two texts [h1, h2, h1*h2, |h1-h2|]. A layer of
tanh and the classifier follow. Vectors are random, read from a file, or made by the teacher without data:
every word alone through it, the mean of its pieces' last states, PCA to the width (as model2vec does).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, cast

from pydantic import Field

from ....text.vocabulary import num_ids
from ..base import NetworkBlock
from ..word_network import VectorsBlock, WordNetwork

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedTokenizerBase


class StaticBlock(VectorsBlock):
    """Keys of ``network`` for ``"model_type": "static"``.

    Attributes:
        width: Of a word's vector.
        pooling: ``mean``, or ``weighted``: by a weight of each word, which is learnt.
        hidden: Width of the layer before the classifier; 0 leaves it out.
        dropout: Before that layer and before the classifier.
    """

    width: int = Field(default=256, ge=1, le=16_384)
    pooling: Literal["mean", "weighted"] = "mean"
    hidden: int = Field(default=256, ge=0, le=16_384)
    dropout: float = Field(default=0.1, ge=0, lt=1)


class Static(WordNetwork):
    """See the module."""

    model_type = "static"
    summary = "word vectors, their mean and a small classifier; reads words"
    Block = StaticBlock

    @classmethod
    def classes(cls) -> tuple[type[Any], type[Any]]:
        from .model import StaticConfig, StaticForSequenceClassification

        return StaticConfig, StaticForSequenceClassification

    @classmethod
    def build_config(
        cls, block: NetworkBlock, tokenizer: PreTrainedTokenizerBase, *, pairs: bool
    ) -> PretrainedConfig:
        from .model import StaticConfig

        keys = cast(StaticBlock, block)
        return StaticConfig(
            vocab_size=num_ids(tokenizer),
            hidden_size=keys.width,
            pooling=keys.pooling,
            classifier_size=keys.hidden,
            dropout=keys.dropout,
            texts=1 + pairs,
            not_words=sorted(tokenizer.all_special_ids),
            pad_token_id=tokenizer.pad_token_id,
            sep_token_id=tokenizer.sep_token_id,
        )
