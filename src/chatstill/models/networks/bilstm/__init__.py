"""A BiLSTM student (Tang et al. 2019, arXiv 1903.12136, section 3.1): word vectors, a BiLSTM, a classifier.

h is the last state of each direction at the last real word, or a maximum or a weighted mean over the words.
A row of one text is h, of two texts [h1, h2, h1*h2, |h1-h2|] with the same BiLSTM over both. A hidden layer
with ReLU and the classifier follow.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal, cast

from pydantic import Field

from ....text.vocabulary import num_ids
from ..base import NetworkBlock, Start
from ..word_network import RANDOM, VectorsBlock, WordNetwork

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

    from .model import BiLstmForSequenceClassification

BOTH = "both"


class BiLstmBlock(VectorsBlock):
    """Keys of ``network`` for ``"model_type": "bilstm"``.

    Attributes:
        width: Of a word's vector.
        units: Of the LSTM of each direction; a text's vector is twice as wide.
        layers: Of the BiLSTM.
        pooling: ``last``, ``max`` or ``attention``: what of the words' states is the text's vector.
        hidden: Width of the layer before the classifier; 0 leaves it out.
        dropout: Of word vectors, between layers, before the hidden layer and before the classifier.
        train_vectors: Whether word vectors are trained; otherwise they stay as they start. ``both``: two
            copies are read side by side, one that is trained and one that stays (the channels of Kim 2014,
            arXiv 1408.5882, section 2, as Tang et al. have them).
    """

    width: int = Field(default=128, ge=1, le=16_384)
    units: int = Field(default=150, ge=1, le=8_192)
    layers: int = Field(default=1, ge=1, le=16)
    pooling: Literal["last", "max", "attention"] = "last"
    hidden: int = Field(default=200, ge=0, le=16_384)
    dropout: float = Field(default=0.2, ge=0, lt=1)
    train_vectors: bool | Literal["both"] = True


class BiLstm(WordNetwork):
    """See the module."""

    model_type = "bilstm"
    summary = "word vectors, a BiLSTM and a small classifier; reads words in order"
    Block: ClassVar[type[NetworkBlock]] = BiLstmBlock
    rate: ClassVar[float | None] = 3e-3  # benchmarks/rnn_rates.py

    @classmethod
    def classes(cls) -> tuple[type[Any], type[Any]]:
        from .model import BiLstmConfig, BiLstmForSequenceClassification

        return BiLstmConfig, BiLstmForSequenceClassification

    @classmethod
    def build_config(
        cls, block: NetworkBlock, tokenizer: PreTrainedTokenizerBase, *, pairs: bool
    ) -> PretrainedConfig:
        from .model import BiLstmConfig

        return BiLstmConfig(**cls.sizes(cast(BiLstmBlock, block), tokenizer, pairs=pairs))

    @classmethod
    def sizes(
        cls, keys: BiLstmBlock, tokenizer: PreTrainedTokenizerBase, *, pairs: bool
    ) -> dict[str, Any]:
        """Arguments of its config."""
        return {
            "vocab_size": num_ids(tokenizer),
            "embedding_size": keys.width,
            "lstm_size": keys.units,
            "lstm_layers": keys.layers,
            "pooling": keys.pooling,
            "classifier_size": keys.hidden,
            "dropout": keys.dropout,
            "train_vectors": keys.train_vectors,
            "texts": 1 + pairs,
            "not_words": sorted(tokenizer.all_special_ids),
            "pad_token_id": tokenizer.pad_token_id,
            "sep_token_id": tokenizer.sep_token_id,
        }

    @classmethod
    def fill(cls, model: PreTrainedModel, block: NetworkBlock, start: Start) -> list[str]:
        lines = super().fill(model, block, start)
        keys = cast(BiLstmBlock, block)
        if keys.train_vectors == BOTH:
            size = cast("BiLstmForSequenceClassification", model).fix_copy()
            return [*lines, f"a copy of them stays as it is, and takes {size / 1e6:.1f} MB more"]
        if keys.train_vectors:
            return lines
        if keys.vectors == RANDOM:
            return [
                *lines,
                "and stay as they are: nothing is learnt of single words before the BiLSTM",
            ]
        return [*lines, "and stay as they are"]
