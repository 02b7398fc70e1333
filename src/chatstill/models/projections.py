"""What is trained where student and teacher differ in width: the student and its projections."""

from __future__ import annotations

import re
from collections.abc import Iterable

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel


def make_projections(
    keys: Iterable[str], width: int, teacher_width: int, seed: int
) -> nn.ModuleDict:
    """Linear maps with bias from one width to the other, by key, equal for equal seeds.

    Weights are N(0, 0.02) with bias 0, as in the public code of TinyBERT; between equal widths the map
    starts as the identity, so that a student made of the teacher's layers starts where they are.
    """
    generator = torch.Generator().manual_seed(seed)
    projections = nn.ModuleDict()
    for key in sorted(set(keys)):
        linear = nn.utils.skip_init(nn.Linear, width, teacher_width)
        with torch.no_grad():
            if width == teacher_width:
                nn.init.eye_(linear.weight)
            else:
                linear.weight.normal_(0.0, 0.02, generator=generator)
            linear.bias.zero_()
        projections[key] = linear
    return projections


class ProjectedStudent(nn.Module):
    """The student and the projections of a method: trained, clipped and saved together."""

    def __init__(self, student: PreTrainedModel, projections: nn.ModuleDict) -> None:
        super().__init__()
        self.student = student
        self.projections = projections

    def project(self, key: str, tensor: Tensor) -> Tensor:
        """(…, D) in the student's width as (…, D') in the teacher's."""
        projected: Tensor = self.projections[key](tensor)
        return projected


def train_what_is_read(student: PreTrainedModel, read: Iterable[Tensor]) -> list[str]:
    """Freezes the parameters that no gradient of these tensors reaches: DDP waits for those of all others.

    One that has a like in its layer that is reached stays trained: an expert that other tokens are sent to.

    Args:
        student: Its trained parameters took part in the pass that gave ``read``.
        read: Tensors with a graph.

    Returns:
        Names of the frozen parameters: a classifier, where no term reads logits.
    """
    named = {name: p for name, p in student.named_parameters() if p.requires_grad}
    total = torch.stack([tensor.float().sum() for tensor in read]).sum()
    gradients = torch.autograd.grad(total, list(named.values()), allow_unused=True)
    reached = {name for name, found in zip(named, gradients, strict=True) if found is not None}
    likes = {_like(name) for name in reached}
    frozen = [name for name in named if name not in reached and _like(name) not in likes]
    for name in frozen:
        named[name].requires_grad_(False)
    return frozen


def _like(name: str) -> str:
    """The name of a parameter that lies in a list in a layer, without its number in that list."""
    return re.sub(r"^(.*\.\d+(?:\..*)?)\.\d+\.", r"\1.*.", name)
