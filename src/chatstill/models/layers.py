"""The plain list of layers of a transformers model: finding it, and cutting it shorter."""

import copy
from collections.abc import Iterator, Sequence

import torch
from torch import nn
from transformers import PretrainedConfig, PreTrainedModel

from ..errors import Problem, UserError
from .embeddings import embedding_table

ONE_A_LAYER = {"attention_window"}  # Longformer's; its name does not say that it is of layers
REFUSED = {
    "albert": "ALBERT uses one set of weights for all its layers, so no layer can be taken out "
    "or replaced",
    **dict.fromkeys(
        ("t5", "mt5", "umt5", "longt5", "switch_transformers"),
        "T5 keeps the position bias of all layers in its first block, so layers are not "
        "interchangeable",
    ),
    "dc-bert": "a DC-BERT has an encoder for each text and layers in which they meet, no single list of "
    "layers",
}


def num_layers_of(config: PretrainedConfig) -> int:
    """Number of layers, whatever the config calls it (``n_layers``, ``n_layer``).

    Raises:
        UserError: this kind of model counts its layers in another way.
    """
    number = getattr(config, "num_hidden_layers", None)
    if not isinstance(number, int):
        raise UserError(
            Problem(
                "",
                f"a model of type {config.model_type} has no single number of layers",
                code="network.no-depth",
            )
        )
    return number


def count_layers(config: PretrainedConfig) -> int:
    """Number of layers for a table; 0 for a model of a user's own that counts none."""
    number = getattr(config, "num_hidden_layers", None)
    return number if isinstance(number, int) else 0


def num_embeddings(model: PreTrainedModel) -> int | None:
    """Rows of the table of word embeddings; None where a model of a user's own does not show it."""
    table = embedding_table(model)
    number = getattr(model.config, "vocab_size", None) if table is None else len(table)
    return number if isinstance(number, int) else None


def find_layers(model: PreTrainedModel) -> str | None:
    """Dotted name of the list of layers (``bert.encoder.layer``), None if there is no plain one.

    It is the one outermost ``ModuleList`` that is as long as the config says and holds modules of
    one class.
    """
    number = getattr(model.config, "num_hidden_layers", None)
    if model.config.model_type in REFUSED or getattr(model.config, "is_encoder_decoder", False):
        return None
    found: list[str] = []
    for name, module in model.named_modules():
        if any(name.startswith(outer + ".") for outer in found):
            continue
        if isinstance(module, nn.ModuleList) and len(module) == number:
            if len({type(layer) for layer in module}) == 1:
                found.append(name)
    return found[0] if len(found) == 1 else None


def layer_list(model: PreTrainedModel) -> tuple[nn.Module, str, nn.ModuleList]:
    """The list of transformer layers: (module that holds it, its attribute there, the list itself).

    Raises:
        UserError: ALBERT, T5 and others whose layers are not a plain list, with the reason.
    """
    kind = model.config.model_type
    name = find_layers(model)
    if name is None:
        reason = REFUSED.get(kind)
        if reason is None and getattr(model.config, "is_encoder_decoder", False):
            reason = "it has an encoder and a decoder, so there is no single list of layers"
        raise UserError(
            Problem(
                "model_type",
                f"the layers of {type(model).__name__} ({kind}) cannot be replaced: "
                + (reason or "no single plain list of layers was found in it"),
                "Use a BERT-like encoder or a decoder (BERT, RoBERTa, ELECTRA, DistilBERT, "
                "ModernBERT, Llama ...), "
                "or a method that does not touch layers.",
                code="theseus.layers-not-replaceable",
            )
        )
    parent, _, attribute = name.rpartition(".")
    layers = model.get_submodule(name)
    assert isinstance(layers, nn.ModuleList)
    return model.get_submodule(parent), attribute, layers


def cut_config(
    config: PretrainedConfig, num_layers: int, indices: Sequence[int]
) -> PretrainedConfig:
    """A copy of a config with fewer layers; values given per layer (``layer_types`` ...) go along.

    Args:
        config: Left as it is.
        num_layers: Layers of the copy.
        indices: For each of them the layer (from 0) of ``config`` that it continues.
    """
    if len(indices) != num_layers:
        raise ValueError(f"{len(indices)} indices for {num_layers} layers")
    available = num_layers_of(config)
    shorter = copy.deepcopy(config)
    for name, values in per_layer_values(config):
        setattr(shorter, name, [values[index] for index in indices])
    shorter.num_hidden_layers = num_layers
    assert num_layers_of(shorter) == num_layers <= available
    return shorter


def of_depth(config: PretrainedConfig, layers: int) -> PretrainedConfig:
    """A teacher's config with another number of layers, more than its own too."""
    if layers <= count_layers(config):
        return cut_config(config, layers, list(range(layers)))
    if lists := [name for name, _ in per_layer_values(config)]:
        message = (
            f"{layers} layers asked for, and the teacher's config has {', '.join(lists)} per layer"
        )
        raise UserError(
            Problem(
                "student_architectures",
                message,
                "Name the student's own config_file.",
                code="student.values-per-layer",
            )
        )
    deeper = copy.deepcopy(config)
    deeper.num_hidden_layers = layers
    return deeper


def per_layer_values(config: PretrainedConfig) -> Iterator[tuple[str, list]]:
    """The config's lists with one value per layer, such as ``layer_types``."""
    number = num_layers_of(config)
    for name, value in config.to_dict().items():
        of_layers = "layer" in name or name in ONE_A_LAYER
        if of_layers and isinstance(value, list | tuple) and len(value) == number:
            yield name, list(value)


def copy_layers(
    teacher: PreTrainedModel,
    num_layers: int,
    indices: Sequence[int],
    *,
    config: PretrainedConfig | None = None,
) -> PreTrainedModel:
    """A plain model of fewer layers: embeddings, head and chosen layers copied from the teacher.

    Args:
        teacher: Left as it is; shares nothing with the copy.
        num_layers: Layers of the student.
        indices: For each of them the teacher's layer (from 0) that it starts from.
        config: The student's config, such as one with another dropout; None cuts the teacher's.

    Returns:
        The student, in eval mode, on the CPU, every parameter trainable, layer indices counted
        anew.

    Raises:
        UserError: the teacher has no plain list of layers, or the tensors do not fit.
    """
    prefix = _prefix(teacher)
    cut = cut_config(teacher.config, num_layers, indices)
    config = cut if config is None else copy.deepcopy(config)
    if config is not cut:
        config.id2label, config.label2id = cut.id2label, cut.label2id
        config.problem_type = cut.problem_type
        config._attn_implementation = teacher.config._attn_implementation
    with torch.random.fork_rng(devices=[]):  # the first values are all replaced below
        student = type(teacher)(config)
    source = teacher.state_dict()
    wanted = dict(zip(range(num_layers), indices, strict=True))
    values = {}
    for name, value in student.state_dict().items():
        origin = _renumbered(name, prefix, wanted)
        if origin not in source or source[origin].shape != value.shape:
            raise _does_not_fit(name, origin, value, source.get(origin))
        values[name] = source[origin]
    student.load_state_dict(values)
    return student.eval()


def copy_outside_layers(teacher: PreTrainedModel, student: PreTrainedModel) -> None:
    """Overwrites the student's embeddings, pooler and head with the teacher's; its layers stay.

    Raises:
        UserError: a tensor does not fit in name or shape.
    """
    prefix = _prefix(student)
    source = teacher.state_dict()
    with torch.no_grad():
        for name, value in student.state_dict().items():
            if name.startswith(prefix):
                continue
            if name not in source or source[name].shape != value.shape:
                raise _does_not_fit(name, name, value, source.get(name))
            value.copy_(source[name])


def _prefix(model: PreTrainedModel) -> str:
    layer_list(model)  # for its error
    return f"{find_layers(model)}."


def _renumbered(name: str, prefix: str, numbers: dict[int, int]) -> str:
    if not name.startswith(prefix):
        return name
    index, _, rest = name[len(prefix) :].partition(".")
    return f"{prefix}{numbers[int(index)]}.{rest}"


def _does_not_fit(
    name: str, origin: str, wanted: torch.Tensor, found: torch.Tensor | None
) -> UserError:
    shape = "nothing of that name" if found is None else f"shape {tuple(found.shape)}"
    return UserError(
        Problem(
            "student_architectures",
            f"{name} of the student has shape {tuple(wanted.shape)}, the teacher has {shape} "
            f"({origin})",
            "The student's layers must be of the teacher's shape; choose other layers to start "
            "from if only "
            "one layer of the teacher is built differently.",
            code="student.layer-shape-differs",
        )
    )
