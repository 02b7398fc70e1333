"""What is told apart between the families of encoders: their classes, tables, and the parts of a layer."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any, NamedTuple

from torch import Tensor, nn
from transformers import PretrainedConfig
from transformers.models.auto.modeling_auto import MODEL_MAPPING

# Family -> the class of its layers. All of them normalise behind each part of a layer ("post-norm").
LAYERS = {
    "bert": "BertLayer",
    "roberta": "RobertaLayer",
    "electra": "ElectraLayer",
    "distilbert": "TransformerBlock",
}


def new_encoder(config: PretrainedConfig) -> Any:
    """An encoder of random weights, without a pooler: ``last_hidden_state`` (B, L, H) is what is read."""
    with_pooler = config.model_type in ("bert", "roberta")
    model: Any = MODEL_MAPPING[type(config)]
    return model(config, **({"add_pooling_layer": False} if with_pooler else {}))


def new_layer(config: PretrainedConfig) -> nn.Module:
    """A layer of the encoder's family, of random weights."""
    kind = config.model_type
    module = importlib.import_module(f"transformers.models.{kind}.modeling_{kind}")
    layer: nn.Module = getattr(module, LAYERS[kind])(config)
    return layer


def layers_of(encoder: Any) -> nn.ModuleList:
    """The list of an encoder's layers."""
    found = encoder.transformer.layer if hasattr(encoder, "transformer") else encoder.encoder.layer
    assert isinstance(found, nn.ModuleList)
    return found


def position_table(encoder: Any) -> Tensor:
    """(P, H) a vector for each position from 0, as wide as the states."""
    table = encoder.embeddings.position_embeddings
    first = (
        0 if table.padding_idx is None else table.padding_idx + 1
    )  # RoBERTa's begin behind padding
    return _as_states(encoder, table.weight[first:])


def type_table(encoder: Any) -> Tensor | None:
    """(2, H) a vector for each text; None where a family has no token types. A lone type is both."""
    table = getattr(encoder.embeddings, "token_type_embeddings", None)
    if table is None:
        return None
    rows = table.weight[:2]
    return _as_states(encoder, rows if len(rows) == 2 else rows.expand(2, -1))


def _as_states(encoder: Any, rows: Tensor) -> Tensor:
    """ELECTRA's embeddings may be narrower than its states: the same projection, without its bias."""
    project = getattr(encoder, "embeddings_project", None)
    return rows if project is None else rows @ project.weight.T


def pooler_of(teacher: Any) -> nn.Linear | None:
    """The (H → H) layer through which a fine-tuned classifier reads [CLS]."""
    places = (teacher.base_model, "pooler"), (teacher, "pre_classifier"), (teacher, "classifier")
    found = next((part for place, name in places if (part := getattr(place, name, None))), None)
    found = getattr(found, "dense", found)
    width = teacher.config.hidden_size
    square = isinstance(found, nn.Linear) and found.weight.shape == (width, width)
    return found if square else None


class LayerParts(NamedTuple):
    """A layer taken apart, for computing some of its rows alone.

    Attributes:
        query: (H → H).
        key: (H → H).
        value: (H → H).
        heads: Of the attention.
        dropout: On the attention's weights.
        finish: (context (..., H), the layer's input rows (..., H)) → its output rows (..., H).
    """

    query: nn.Linear
    key: nn.Linear
    value: nn.Linear
    heads: int
    dropout: nn.Dropout
    finish: Callable[[Tensor, Tensor], Tensor]


def parts_of(layer: Any) -> LayerParts:
    """The parts of a layer of one of the families."""
    attention = layer.attention
    if hasattr(attention, "q_lin"):  # DistilBERT

        def finish(context: Tensor, rows: Tensor) -> Tensor:
            attended = layer.sa_layer_norm(attention.out_lin(context) + rows)
            found: Tensor = layer.output_layer_norm(layer.ffn(attended) + attended)
            return found

        of = (attention.q_lin, attention.k_lin, attention.v_lin)
        return LayerParts(*of, attention.n_heads, attention.dropout, finish)

    def finish_bert(context: Tensor, rows: Tensor) -> Tensor:
        found: Tensor = layer.feed_forward_chunk(attention.output(context, rows))
        return found

    own = attention.self
    of = (own.query, own.key, own.value)
    return LayerParts(*of, own.num_attention_heads, own.dropout, finish_bert)
