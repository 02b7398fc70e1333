"""A BERT with a masked-LM head as a DistilBERT: the same outputs from an architecture without token types.

DistilBERT (arXiv 1910.01108, section 3) leaves token types and pooler out. Rows of a corpus all have type 0:
its embedding is added to those of the positions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from transformers import DistilBertConfig, DistilBertForMaskedLM

from ..errors import Problem, UserError

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel

# Names of a BERT's layer, and of DistilBERT's.
LAYER = {
    "attention.self.query": "attention.q_lin",
    "attention.self.key": "attention.k_lin",
    "attention.self.value": "attention.v_lin",
    "attention.output.dense": "attention.out_lin",
    "attention.output.LayerNorm": "sa_layer_norm",
    "intermediate.dense": "ffn.lin1",
    "output.dense": "ffn.lin2",
    "output.LayerNorm": "output_layer_norm",
}
REST = {
    "bert.embeddings.LayerNorm": "distilbert.embeddings.LayerNorm",
    "cls.predictions.transform.dense": "vocab_transform",
    "cls.predictions.transform.LayerNorm": "vocab_layer_norm",
}
WORDS, POSITIONS, TYPES = (
    f"bert.embeddings.{name}_embeddings.weight" for name in ("word", "position", "token_type")
)
NORM_EPS = 1e-12  # DistilBERT has no other
ACTIVATIONS = ("gelu", "relu")


def as_distilbert(bert: PreTrainedModel) -> DistilBertForMaskedLM:
    """A copy of a BERT with a masked-LM head; outputs of rows of token type 0 are equal.

    Args:
        bert: Left as it is; shares nothing with the copy.

    Raises:
        UserError: it is no BERT, or has values that DistilBERT has not.
    """
    own = bert.config
    wrong = ""
    if own.model_type != "bert":
        wrong = f"its teacher is a '{own.model_type}'"
    elif own.hidden_act not in ACTIVATIONS:
        known = " or ".join(ACTIVATIONS)
        wrong = f"its teacher's hidden_act is {own.hidden_act}, and a DistilBERT takes {known}"
    elif own.layer_norm_eps != NORM_EPS:
        wrong = f"its teacher's layer_norm_eps is {own.layer_norm_eps}, a DistilBERT's {NORM_EPS}"
    if wrong:
        message = f"the student is to be a DistilBERT made of a BERT's layers, and {wrong}"
        hint = f"Leave model_type out: the student is a '{own.model_type}' then, as its teacher is."
        raise UserError(
            Problem("student_architectures.model_type", message, hint, code="student.no-distilbert")
        )
    config = DistilBertConfig(
        vocab_size=own.vocab_size,
        max_position_embeddings=own.max_position_embeddings,
        n_layers=own.num_hidden_layers,
        n_heads=own.num_attention_heads,
        dim=own.hidden_size,
        hidden_dim=own.intermediate_size,
        dropout=own.hidden_dropout_prob,
        attention_dropout=own.attention_probs_dropout_prob,
        activation=own.hidden_act,
        initializer_range=own.initializer_range,
        pad_token_id=own.pad_token_id,
        tie_word_embeddings=own.tie_word_embeddings,
    )
    config._attn_implementation = own._attn_implementation
    with torch.random.fork_rng(devices=[]):  # the first values are all replaced below
        student = DistilBertForMaskedLM(config)
    student.load_state_dict(_renamed(bert.state_dict(), own.num_hidden_layers))
    return student.eval()


def _renamed(theirs: dict[str, Tensor], layers: int) -> dict[str, Tensor]:
    names = dict(REST)
    for number in range(layers):
        before, behind = f"bert.encoder.layer.{number}.", f"distilbert.transformer.layer.{number}."
        names |= {before + name: behind + other for name, other in LAYER.items()}
    state = {
        f"{other}.{kind}": theirs[f"{name}.{kind}"]
        for name, other in names.items()
        for kind in ("weight", "bias")
    }
    state["distilbert.embeddings.word_embeddings.weight"] = theirs[WORDS]
    state["distilbert.embeddings.position_embeddings.weight"] = theirs[POSITIONS] + theirs[TYPES][0]
    state["vocab_projector.weight"] = theirs["cls.predictions.decoder.weight"]
    state["vocab_projector.bias"] = theirs["cls.predictions.decoder.bias"]
    return state
