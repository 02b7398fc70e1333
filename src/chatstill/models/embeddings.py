"""The table of word embeddings, asked for in a way that networks without one can answer."""

from __future__ import annotations

from torch import nn


def embedding_table(model: nn.Module) -> nn.Parameter | None:
    """(V, D) of the word embeddings; None where a network, such as a user's own, shows none.

    ``get_input_embeddings`` may be missing, not be carried out, or give None or a module without a table.
    """
    ask = getattr(model, "get_input_embeddings", None)
    try:
        table = getattr(ask(), "weight", None) if callable(ask) else None
    except (NotImplementedError, AttributeError, TypeError):
        return None
    return table if isinstance(table, nn.Parameter) else None
