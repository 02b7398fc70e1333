"""The BiLSTM network's config and model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from transformers import PretrainedConfig
from typing_extensions import override

from ..sides_classifier import SidesClassifier
from . import BOTH
from .layers import BiLstmLayers, may_look, pooled_by, words_first


class BiLstmConfig(PretrainedConfig):
    """Sizes of a BiLSTM network. ``hidden_size``, the width of a text's vector, is 2 ``lstm_size``.

    Args:
        vocab_size: Words, special ones among them.
        embedding_size: Of a word's vector.
        lstm_size: Of the states of one direction.
        lstm_layers: How many.
        pooling: ``last``, ``max`` or ``attention``.
        classifier_size: Of the layer before the classifier; 0 leaves it out.
        dropout: Of word vectors, between layers, before that layer and before the classifier.
        train_vectors: Whether word vectors are trained; ``both``: beside a copy that is not.
        texts: 1 or 2 in a row.
        not_words: Ids that stand for no word: special ones, the unknown one among them.
        pad_token_id: Its vector is zero.
        sep_token_id: Parts two texts of rows without token types.
    """

    model_type = "bilstm"

    def __init__(
        self,
        vocab_size: int = 4,
        embedding_size: int = 128,
        lstm_size: int = 150,
        lstm_layers: int = 1,
        pooling: str = "last",
        classifier_size: int = 200,
        dropout: float = 0.2,
        train_vectors: bool | str = True,
        texts: int = 2,
        not_words: Sequence[int] = (0,),
        pad_token_id: int | None = 0,
        sep_token_id: int | None = None,
        **more: Any,
    ) -> None:
        self.vocab_size, self.embedding_size = vocab_size, embedding_size
        self.lstm_size, self.lstm_layers = lstm_size, lstm_layers
        self.pooling, self.classifier_size, self.dropout = pooling, classifier_size, dropout
        self.train_vectors = train_vectors
        self.texts, self.not_words = texts, list(not_words)
        self.type_vocab_size = 2  # token types part the texts
        super().__init__(**more)
        self.hidden_size = 2 * lstm_size
        self.pad_token_id, self.sep_token_id = pad_token_id, sep_token_id


class TextEncoder(nn.Module):
    """A vector of each text of a row.

    Attributes:
        fixed: (V, W) the copy of word vectors that is not trained, beside ``words``; None without two.
    """

    fixed: Tensor | None

    def __init__(self, config: BiLstmConfig) -> None:
        super().__init__()
        self.not_words = tuple(config.not_words)
        self.train_vectors = config.train_vectors
        self.words = nn.Embedding(
            config.vocab_size, config.embedding_size, padding_idx=config.pad_token_id
        )
        shape, two = (config.vocab_size, config.embedding_size), config.train_vectors == BOTH
        # A buffer: no optimizer, and no decay, ever reaches it.
        self.register_buffer("fixed", torch.zeros(shape) if two else None)
        self.dropout = nn.Dropout(config.dropout)
        width = config.embedding_size * (1 + two)
        self.lstm = BiLstmLayers(width, config.lstm_size, config.lstm_layers, config.dropout)
        self.pooling = self.pooling_of(config)

    def forward(self, ids: Tensor, sides: Sequence[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        """Of each side its vectors (B, D), 0 without a word, and its number of words (B,).

        Args:
            ids: (B, L).
            sides: For each text (B, L), which places are its own, special tokens or not.
        """
        special = torch.tensor(self.not_words, device=ids.device)
        known = (ids[..., None] != special).all(-1)
        words = torch.cat([known & side for side in sides])
        if len(words) == 1 and may_look(ids) and bool(words.any()):
            own = ids[words][None]  # one text by itself, as it is served
            lengths = torch.tensor([own.shape[1]])
            return [self.encode(own, lengths)], [lengths]
        moved, lengths = words_first(ids.repeat(len(sides), 1), words)
        if may_look(ids):
            moved = moved[:, : max(1, int(lengths.max()))]
        found = self.encode(moved, lengths)
        return list(found.chunk(len(sides))), list(lengths.chunk(len(sides)))

    def pooling_of(self, config: BiLstmConfig) -> nn.Module:
        """What makes a text's vector of its states (N, L, 2 ``lstm_size``)."""
        return pooled_by(config.pooling, 2 * config.lstm_size)

    def vectors_of(self, words: Tensor) -> Tensor:
        """(N, L, W) of words (N, L), without a graph where none is trained. (N, L, 2 W) of two copies."""
        vectors: Tensor = self.words(words)
        if self.fixed is not None:
            return torch.cat([vectors, nn.functional.embedding(words, self.fixed)], -1)
        return vectors if self.train_vectors else vectors.detach()

    def encode(self, words: Tensor, lengths: Tensor) -> Tensor:
        """(N, D) of words (N, L), of which the first ``lengths`` (N,) count."""
        states = self.lstm(self.dropout(self.vectors_of(words)), lengths)
        found: Tensor = self.pooling(states, lengths)
        return found


class BiLstmForSequenceClassification(SidesClassifier):
    """A BiLSTM over word vectors, and a classifier on it."""

    config_class = BiLstmConfig
    base_model_prefix = "bilstm"
    encoder: ClassVar[type[TextEncoder]] = TextEncoder

    def __init__(self, config: BiLstmConfig) -> None:
        super().__init__(config)
        self.bilstm = self.encoder(config)
        self.add_classifier(config.dropout)
        self.post_init()
        self.fix_copy()

    @torch.no_grad()
    def fix_copy(self) -> int:
        """Makes the fixed copy what the word vectors are now, and gives its bytes; 0 where there is none."""
        fixed = self.bilstm.fixed
        if fixed is None:
            return 0
        fixed.copy_(self.bilstm.words.weight)
        return fixed.nbytes

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        """Word vectors N(0, 1/sqrt(width)); LSTMs orthogonal over time, their forget gates open."""
        if isinstance(module, nn.Embedding):
            nn.init.normal_(module.weight, 0.0, self.config.embedding_size**-0.5)
            if module.padding_idx is not None:
                module.weight[module.padding_idx].zero_()
        elif isinstance(module, nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.LSTM):
            _start_lstm(module)

    @override
    def get_input_embeddings(self) -> nn.Module:
        return self.bilstm.words

    @override
    def set_input_embeddings(self, value: Any) -> None:
        self.bilstm.words = value


def _start_lstm(module: nn.LSTM) -> None:
    """Xavier for the inputs, orthogonal for each gate's recurrent weights, biases 0, the forget gate's 1."""
    for name, parameter in module.named_parameters():
        if name.startswith("weight_ih"):
            nn.init.xavier_uniform_(parameter)
        elif name.startswith("weight_hh"):
            for gate in parameter.chunk(4):
                nn.init.orthogonal_(gate)
        else:
            nn.init.zeros_(parameter)
            if name.startswith("bias_ih"):
                parameter.chunk(4)[1].fill_(1.0)  # gates: input, forget, cell, output
