"""The network of BERT-of-Theseus' replacing phase (arXiv 2002.02925): two models in one.

Each layer is, by a draw, the student's (successor) or the teacher's (predecessors).
"""

import inspect
from collections.abc import Sequence
from typing import Literal

from torch import Tensor, nn
from transformers import PretrainedConfig, PreTrainedModel

from ...errors import Problem, UserError
from ...features.layer_map import group_layers
from ..layers import layer_list
from ..shape import check_same_shape
from ..structure import structural_copy
from .module import Heard, Listener, TheseusModule

__all__ = ["TheseusModule", "build_host", "group_layers", "set_draws", "theseus_modules"]


def build_host(
    student: PreTrainedModel,
    teacher: PreTrainedModel,
    grouping: Sequence[Sequence[int]],
    *,
    train: Literal["successors", "all"] = "successors",
    predecessor_dropout: bool = True,
) -> PreTrainedModel:
    """The network of the replacing phase: the student's, with its layers as ``TheseusModule``s.

    It has modules of its own (training mode, hooks), but no parameter of its own: all are the
    student's and the teacher's very objects. So ``student`` stays the plain network that is kept,
    current at any time, and may be in eval mode while the host trains. Buffers are shared too
    until one of the three is moved: move student, teacher and host to the same device.

    Args:
        student: Its ``requires_grad`` is set as ``train`` says.
        teacher: Every parameter is frozen; gradients still pass through its layers.
        grouping: The teacher layers of each successor, from ``group_layers``.
        train: ``successors`` (the paper) or all of the student: embeddings and head too, which are
            its own copies, so the teacher does not move.
        predecessor_dropout: On (the authors' code) or off.

    Raises:
        UserError: shapes that do not agree, or a model whose layers cannot be replaced.
    """
    _check(student, teacher)
    for parameter in teacher.parameters():
        parameter.requires_grad_(False)
    for parameter in student.parameters():
        parameter.requires_grad_(train == "all")
    for parameter in layer_list(student)[2].parameters():
        parameter.requires_grad_(True)

    host = structural_copy(student)
    parent, attribute, successors = layer_list(host)
    predecessors = structural_copy(layer_list(teacher)[2])
    kinds = _kinds(teacher.config)
    heard = _heard_if_mixed(student, teacher, successors)
    modules: list[nn.Module] = [
        TheseusModule(
            successor,
            [predecessors[index] for index in group],
            predecessor_dropout=predecessor_dropout,
            kinds=[kinds[index] for index in group] if heard else (),
            heard=heard,
        )
        for successor, group in zip(successors, grouping, strict=True)
    ]
    if heard:
        modules = _listeners(host.config, successors, heard) + modules
    setattr(parent, attribute, nn.ModuleList(modules))
    # A cache is kept by layer number, which the two paths do not share.
    host.config.use_cache = False
    return host


def theseus_modules(host: nn.Module) -> list[TheseusModule]:
    """The host's modules in order, also inside a wrapper such as DDP."""
    return [module for module in host.modules() if isinstance(module, TheseusModule)]


def set_draws(host: nn.Module, draws: Sequence[bool]) -> None:
    """Sets for each module whether its successor runs in the next training passes.

    Raises:
        ValueError: not one draw per module.
    """
    modules = theseus_modules(host)
    if len(draws) != len(modules):
        raise ValueError(f"{len(draws)} draws for {len(modules)} modules")
    for module, draw in zip(modules, draws, strict=True):
        module.use_successor = bool(draw)


def _check(student: PreTrainedModel, teacher: PreTrainedModel) -> None:
    problems = [
        problem
        for problem in check_same_shape(teacher.config, student.config)
        if problem.severity == "error"
    ]
    for name, model in (("student", student), ("teacher", teacher)):
        if getattr(model.config, "conv_kernel_size", 0) and model.config.model_type.startswith(
            "deberta"
        ):
            message = f"the {name} has a convolution after its first layer; that cannot be replaced"
            hint = "Use a DeBERTa without conv_kernel_size, such as DeBERTa-v3."
            problems.append(
                Problem(f"{name}_architectures", message, hint, code="theseus.convolution")
            )
    if problems:
        raise UserError(problems)


def _kinds(config: PretrainedConfig) -> list[str]:
    return list(getattr(config, "layer_types", None) or [])


def _heard_if_mixed(
    student: PreTrainedModel, teacher: PreTrainedModel, successors: nn.ModuleList
) -> Heard | None:
    """None where all layers are of one kind."""
    of_student, of_teacher = set(_kinds(student.config)), set(_kinds(teacher.config))
    if len(of_student | of_teacher) < 2:
        return None
    place = "student_architectures"
    if not of_teacher <= of_student:
        lacking = ", ".join(sorted(of_teacher - of_student))
        message = f"the student has no layer of kind {lacking}, which the teacher has"
        hint = "Give the student more layers, or start it from layers of every kind."
        raise UserError(Problem(place, message, hint, code="theseus.layer-kind-lacking"))
    returned = inspect.signature(type(successors[0]).forward).return_annotation
    if returned not in (Tensor, "torch.Tensor", "Tensor"):
        message = (
            f"layers of {type(student).__name__} are of several kinds and return more than a tensor"
        )
        raise UserError(
            Problem(
                place,
                message,
                "Use a method that does not replace layers.",
                code="theseus.layers-of-several-kinds",
            )
        )
    return Heard()


def _listeners(
    config: PretrainedConfig, successors: nn.ModuleList, heard: Heard
) -> list[nn.Module]:
    """One per kind; the config counts them as layers, as networks look kinds up by number."""
    kinds = _kinds(config)
    first = {kind: successors[kinds.index(kind)] for kind in sorted(set(kinds))}
    config.layer_types = [*first, *kinds]
    config.num_hidden_layers = len(first) + len(kinds)
    return [Listener(kind, layer, heard) for kind, layer in first.items()]
