"""The configuration of a DC-BERT: one encoder's, and how the two sides meet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from transformers import PretrainedConfig
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

from .names import BOTH_WAYS, TRANSFORMER

OF_ENCODER = (
    *("hidden_size", "num_hidden_layers", "num_attention_heads", "vocab_size", "type_vocab_size"),
    *("max_position_embeddings", "initializer_range"),
)
SPECIAL = 2  # of a text alone: [CLS] before it, [SEP] behind it


class DcBertConfig(PretrainedConfig):
    """Sizes and lengths.

    Args:
        encoder_config: The configuration of an encoder, its ``model_type`` among it.
        last_layer_model_type: ``transformer``, ``linear``, ``lstm``, or the name of a class of a user's file.
        interaction_code: sha256 of that file; empty for a built-in kind.
        num_interaction_layers: K, of ``transformer``.
        interaction: ``both_ways``, or ``one_way``: ``transformer`` changes the query's states alone.
        shared_encoder: One encoder for both texts.
        max_query_length: Tokens of a query, special ones left out; every query takes up that many places.
        max_reply_length: Tokens of a reply, special ones left out; longer ones are cut.
        truncation_side: Where longer texts are cut: ``right`` or ``left``.
        num_positions: Rows of the table of global positions.
        cls_token_id: Stands before each text.
        sep_token_id: Stands behind each text.
        document_width: Numbers that are stored of each state of a reply; None: all of them.
        separators: How many of them stand between the two texts of a row (RoBERTa: 2).
        two_tower: Weight of the loss that made the [CLS] vectors fit for finding candidates; 0: none did.
    """

    model_type = "dc-bert"

    def __init__(
        self,
        encoder_config: Mapping[str, Any] | None = None,
        last_layer_model_type: str = TRANSFORMER,
        interaction_code: str = "",
        num_interaction_layers: int = 1,
        shared_encoder: bool = False,
        max_query_length: int = 32,
        max_reply_length: int = 93,
        truncation_side: str = "right",
        num_positions: int = 512,
        cls_token_id: int = 101,
        sep_token_id: int = 102,
        separators: int = 1,
        interaction: str = BOTH_WAYS,
        document_width: int | None = None,
        two_tower: float = 0.0,
        **more: Any,
    ) -> None:
        self.encoder_config = dict(encoder_config or {"model_type": "bert"})
        self.last_layer_model_type = last_layer_model_type
        self.interaction_code = interaction_code
        self.num_interaction_layers = num_interaction_layers
        self.interaction = interaction
        self.document_width = document_width
        self.two_tower = two_tower
        self.shared_encoder = shared_encoder
        self.max_query_length, self.max_reply_length = max_query_length, max_reply_length
        self.truncation_side = truncation_side
        self.num_positions = num_positions
        self.separators = separators
        encoder = self.encoder()
        self.hidden_size = encoder.hidden_size
        self.num_hidden_layers = encoder.num_hidden_layers
        self.num_attention_heads = encoder.num_attention_heads
        self.vocab_size = encoder.vocab_size
        self.max_position_embeddings = encoder.max_position_embeddings
        self.initializer_range = encoder.initializer_range
        self.type_vocab_size = 2  # token types part the two texts
        pad = more.pop("pad_token_id", None)
        super().__init__(**{key: value for key, value in more.items() if key not in OF_ENCODER})
        self.pad_token_id = encoder.pad_token_id if pad is None else pad
        self.cls_token_id, self.sep_token_id = cls_token_id, sep_token_id

    def encoder(self) -> PretrainedConfig:
        """A new configuration of an encoder."""
        return CONFIG_MAPPING[self.encoder_config["model_type"]].from_dict(self.encoder_config)

    @property
    def query_places(self) -> int:
        """Places that every query takes up, special tokens included: a reply's positions begin here."""
        return self.max_query_length + SPECIAL

    @property
    def document_places(self) -> int:
        """Places of the longest reply, special tokens included."""
        return self.max_reply_length + SPECIAL
