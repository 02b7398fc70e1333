"""Which tensors of a network are its body's, and which are its head's."""

from collections.abc import Callable

from transformers import PreTrainedModel

from .embeddings import embedding_table
from .layers import find_layers
from .report import LoadReport

POOLER = "pooler"  # between the two: networks without a classifier are often saved without it


def in_body(model: PreTrainedModel) -> Callable[[str], bool]:
    """Tells of a tensor's name whether it belongs to the body.

    The body is what ``base_model_prefix`` names. Of a model of a user's own that names none, it is the parts
    that hold the embeddings, the layers, and most of the parameters.
    """
    if model.base_model is not model:
        start = f"{model.base_model_prefix}."
        return lambda name: name.startswith(start)
    sizes = {
        name: sum(value.numel() for value in child.parameters())
        for name, child in model.named_children()
    }
    table = embedding_table(model)
    held = [name for name, value in model.named_parameters() if value is table]
    of_body = {name.split(".")[0] for name in (*held, find_layers(model) or "")}
    of_body |= {max(sizes, key=lambda name: sizes[name])} if sizes else set()
    return lambda name: name.split(".")[0] in of_body or name.split(".")[0] not in sizes


def head_is_new(model: PreTrainedModel, report: LoadReport) -> bool:
    """Whether a part of the head is not in the weights, or of another shape there."""
    fresh = [*report.missing, *(found.name for found in report.mismatched)]
    of_body = in_body(model)
    return any(not of_body(name) for name in fresh)
