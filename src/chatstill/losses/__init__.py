"""Pure loss functions. Each returns a sum, never a mean: the engine divides once, by the count over
all processes and micro-batches (a mean of per-process means is not the mean). Beside each loss stands
the function that counts.

Padding is masked before any arithmetic: values at padded positions may be anything, also NaN, and
neither the loss nor its gradient sees them. Everything comes out in float32; what is (B, C) or (B, D) is
computed in float64, states and scores in float32 with sums that lose nothing (``sums``).
"""

from .attention import (
    attention_cosine,
    attention_count,
    attention_kl,
    attention_mse,
    attention_mse_of,
    raw_scores,
)
from .hard import hard_label_count, hard_label_loss
from .hidden import (
    cosine_distance,
    hidden_cosine,
    hidden_count,
    hidden_mse,
    patience_count,
    patience_loss,
)
from .relations import in_heads, products_kl
from .soft import logits_mse, soft_label_count, soft_label_loss
from .term import Term
from .vocabulary import vocabulary_answers, vocabulary_kl, vocabulary_loss, vocabulary_mse

__all__ = [
    "Term",
    "attention_cosine",
    "attention_count",
    "attention_kl",
    "attention_mse",
    "attention_mse_of",
    "cosine_distance",
    "hard_label_count",
    "hard_label_loss",
    "hidden_cosine",
    "hidden_count",
    "hidden_mse",
    "in_heads",
    "logits_mse",
    "patience_count",
    "patience_loss",
    "products_kl",
    "raw_scores",
    "soft_label_count",
    "soft_label_loss",
    "vocabulary_answers",
    "vocabulary_kl",
    "vocabulary_loss",
    "vocabulary_mse",
]
