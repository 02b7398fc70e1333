"""The DC-BERT network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase
from transformers.modeling_outputs import SequenceClassifierOutput
from typing_extensions import override

from ....features.base import Features, Needs
from .config import DcBertConfig
from .encoders import new_encoder
from .interactions import PooledInteraction, new_interaction
from .outputs import Encoded, StatesOf, Towers, Unprojected
from .projection import Projection
from .sides import Side, Texts, document_ids, part_rows, query_ids
from .transformer import TransformerInteraction


class Encoders(nn.Module):
    """An encoder for queries and one for documents, or one for both."""

    def __init__(self, config: DcBertConfig, encoder_config: Any) -> None:
        super().__init__()
        self.query_encoder = new_encoder(encoder_config)
        self.document_encoder = None if config.shared_encoder else new_encoder(encoder_config)

    @property
    def of_documents(self) -> Any:
        """The encoder of documents."""
        return self.query_encoder if self.document_encoder is None else self.document_encoder


class DcBertForSequenceClassification(PreTrainedModel):
    """Reads rows of two texts as other classifiers do and parts them inside; or each side by itself.

    ``interact(*encode_queries(…)[:2], *encode_documents(…)[:2])`` is what ``forward`` computes. What of a
    document does not depend on the query can be stored: states; of a single transformer layer its keys and
    values; of ``linear`` and ``lstm`` a vector.
    """

    config: DcBertConfig
    config_class = DcBertConfig
    base_model_prefix = "dc_bert"
    gives = frozenset({"logits"})
    reads_sides = True
    _supports_sdpa = True

    def __init__(self, config: DcBertConfig) -> None:
        super().__init__(config)
        encoder_config: Any = config.encoder()
        encoder_config._attn_implementation = config._attn_implementation
        self.dc_bert = Encoders(config, encoder_config)
        self.interaction = new_interaction(config, encoder_config)
        narrow = config.document_width
        self.projection = None if narrow is None else Projection(config.hidden_size, narrow)
        self.post_init()

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        """What is not started from a teacher: N(0, 0.02) or what its config says, biases 0."""
        spread = self.config.initializer_range
        if isinstance(module, nn.Linear | nn.Embedding | nn.Bilinear):
            nn.init.normal_(module.weight, 0.0, spread)
            bias = getattr(module, "bias", None)
            if bias is not None:
                nn.init.zeros_(bias)
        elif isinstance(module, nn.LayerNorm):
            nn.init.ones_(module.weight)
            nn.init.zeros_(module.bias)
        elif isinstance(module, nn.LSTM):
            module.reset_parameters()

    @override
    def get_input_embeddings(self) -> nn.Module:
        """The query encoder's; a document encoder has a table of its own."""
        found: nn.Module = self.dc_bert.query_encoder.get_input_embeddings()
        return found

    @override
    def set_input_embeddings(self, value: Any) -> None:
        self.dc_bert.query_encoder.set_input_embeddings(value)

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        **_: Any,
    ) -> SequenceClassifierOutput:
        """Logits (B, C) of rows (B, L) of two texts, see ``sides.part_rows``."""
        return SequenceClassifierOutput(
            logits=self.towers(input_ids, attention_mask, token_type_ids).logits
        )

    def towers(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None,
        token_type_ids: Tensor | None,
        states_of: StatesOf | None = None,
    ) -> Towers:
        """Logits of rows (B, L), with the [CLS] vectors of both sides.

        ``states_of`` takes the place of the documents' encoder: ids (B, Ld) and mask to states (B, Ld, H).
        """
        asked, replied = part_rows(input_ids, attention_mask, token_type_ids, self.config)
        query = self.encode_queries(*asked)
        document = self._narrowed(self._documents(replied, states_of))
        logits = self.interact(query.states, query.mask, document.states, document.mask)
        return Towers(logits, query.vector, document.vector)

    def both_forms(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None,
        token_type_ids: Tensor | None,
        states_of: StatesOf | None = None,
    ) -> Towers:
        """What ``towers`` gives, with the form without a projection beside it; for training.

        Raises:
            ValueError: the network has another form than ``transformer``.
        """
        asked, replied = part_rows(input_ids, attention_mask, token_type_ids, self.config)
        query = self.encode_queries(*asked)
        whole = self._documents(replied, states_of)
        document, form = self._narrowed(whole), self._transformer("form without a projection")
        mask, length = torch.cat([query.mask, whole.mask], 1), query.states.shape[1]
        logits, read = form.passed(query.states, document.states, mask)
        target, read_whole = form.passed(query.states, whole.states, mask)
        # Not under no_grad: autocast would keep its copies of the weights, without a graph, for what follows.
        targets = form.cls_scores(read_whole, length).detach()
        beside = Unprojected(target, targets, form.cls_scores(read, length), mask)
        return Towers(logits, query.vector, document.vector, beside)

    def read_features(self, batch: Mapping[str, Tensor], needs: Needs) -> Features:
        """Logits (B, C), where they are needed."""
        if not needs.logits:
            return Features()
        ids, mask = batch["input_ids"], batch.get("attention_mask")
        return Features(logits=self.towers(ids, mask, batch.get("token_type_ids")).logits)

    # -- each side by itself ---------------------------------------------------------------------------

    def query_ids(self, texts: Sequence[str], tokenizer: PreTrainedTokenizerBase) -> Texts:
        """Ids (B, Lq) and mask of queries as ``forward`` makes them of rows, and how many were cut."""
        return query_ids(texts, tokenizer, self.config)

    def document_ids(self, texts: Sequence[str], tokenizer: PreTrainedTokenizerBase) -> Texts:
        """Ids (B, Ld) and mask of replies as ``forward`` makes them of rows, and how many were cut."""
        return document_ids(texts, tokenizer, self.config)

    def encode_queries(self, input_ids: Tensor, attention_mask: Tensor) -> Encoded:
        """What the encoder makes of ids (B, Lq) of ``[CLS] query [SEP]`` and their mask.

        Lq is at most ``config.query_places``; padding on the right may be there or not.
        """
        return _encoded(self.dc_bert.query_encoder, input_ids, attention_mask)

    def encode_documents(self, input_ids: Tensor, attention_mask: Tensor) -> Encoded:
        """What the encoder makes of ids (B, Ld) of ``[CLS] reply [SEP]`` and their mask."""
        return self._narrowed(_encoded(self.dc_bert.of_documents, input_ids, attention_mask))

    def widen(self, stored: Tensor) -> Tensor:
        """(B, L, H) the states that ``interact`` reads, of what is stored of documents."""
        if self.projection is None:
            return stored
        wide: Tensor = self.projection.up(stored.to(self.projection.up.weight.dtype))
        return wide

    def _documents(self, side: Side, states_of: StatesOf | None) -> Encoded:
        """Documents without a projection."""
        if states_of is None:
            return _encoded(self.dc_bert.of_documents, *side)
        states = states_of(*side)
        return Encoded(states, side.attention_mask, states[:, 0], states)

    def _narrowed(self, document: Encoded) -> Encoded:
        if self.projection is None:
            return document
        stored = self.projection.down(document.states)
        states = self.widen(stored)
        return Encoded(states, document.mask, states[:, 0], stored)

    def interact(
        self,
        query_states: Tensor,
        query_mask: Tensor,
        document_states: Tensor,
        document_mask: Tensor,
        pool: int = 1,
    ) -> Tensor:
        """Logits (B, C) of states (B, Lq, H) and (B, Ld, H) and their masks, all interaction layers.

        ``pool`` is the ``size`` with which ``pool_documents`` made the documents' states.

        Raises:
            ValueError: ``pool`` is not 1, and the form is not ``transformer``.
        """
        sides = (query_states, query_mask, document_states, document_mask)
        if pool != 1:
            return self._transformer("places to be pooled").forward(*sides, pool)
        logits: Tensor = self.interaction(*sides)
        return logits

    # -- K = 1: a document's keys and values -----------------------------------------------------------

    def document_keys_values(
        self, states: Tensor, mask: Tensor, pool: int = 1
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Keys and values (B, heads, Ld, d) of the interaction layer, and the [CLS] row (B, H) that goes in.

        They hold the document's position and type embeddings, which are fixed because every query takes up
        ``config.query_places`` places. Padded places (``mask`` 0) hold anything. ``pool`` as in ``interact``.

        Raises:
            ValueError: the network has another form than one transformer layer.
        """
        return self._transformer().keys_values(states, pool)

    def interact_cached(
        self,
        query_states: Tensor,
        query_mask: Tensor,
        keys: Tensor,
        values: Tensor,
        document_mask: Tensor,
        cls_row: Tensor,
    ) -> Tensor:
        """Logits (B, C) as ``interact`` gives, with the [CLS] rows of the layer computed alone: both, or of
        ``one_way`` the query's.

        Args:
            query_states: (B, Lq, H), or (1, Lq, H) for one query against all documents.
            query_mask: (B, Lq) or (1, Lq).
            keys: (B, heads, Ld, d) of ``document_keys_values``; ``values`` and ``cls_row`` likewise.
            values: (B, heads, Ld, d).
            document_mask: (B, Ld).
            cls_row: (B, H).

        Raises:
            ValueError: the network has another form than one transformer layer.
        """
        form = self._transformer()
        return form.cached(query_states, query_mask, keys, values, document_mask, cls_row)

    # -- linear and lstm: a vector of each side --------------------------------------------------------

    def pool_query(self, states: Tensor, mask: Tensor) -> Tensor:
        """(B, D) of a query's states; ValueError for a form that reads more than a vector."""
        return self._pooled().pool_query(states, mask)

    def pool_document(self, states: Tensor, mask: Tensor) -> Tensor:
        """(B, D) of a document's states; ValueError for a form that reads more than a vector."""
        return self._pooled().pool_document(states, mask)

    def interact_pooled(self, query: Tensor, document: Tensor) -> Tensor:
        """Logits (B, C) of pooled vectors (B, D); one query (1, D) serves many documents."""
        return self._pooled().pooled(query, document)

    def _transformer(self, wanted: str = "keys and values") -> TransformerInteraction:
        if not isinstance(self.interaction, TransformerInteraction):
            raise ValueError(f"a '{self.config.last_layer_model_type}' has no {wanted}")
        return self.interaction

    def _pooled(self) -> PooledInteraction:
        if not isinstance(self.interaction, PooledInteraction):
            raise ValueError(f"a '{self.config.last_layer_model_type}' reads more than a vector")
        return self.interaction


def _encoded(encoder: Any, ids: Tensor, mask: Tensor) -> Encoded:
    states = encoder(input_ids=ids, attention_mask=mask).last_hidden_state
    return Encoded(states, mask, states[:, 0], states)
