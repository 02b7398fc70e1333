"""Whether texts are converted (``preprocess``) as they were where the networks of a run were trained."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import Problem
from ..models.own import CONVERSION, other_conversion, own_block

if TYPE_CHECKING:
    from ..methods.base import Method


def conversion_doubts(method: Method, preprocess: str | None) -> list[Problem]:
    """A warning for each network of a run that knows texts of another conversion, each conversion once.

    Args:
        method: It holds the networks.
        preprocess: The configuration's.
    """
    networks = [("teacher", method.teacher_of(phase)) for phase in method.phases()]
    networks.append(("network that this run starts from", method.student))
    found: dict[object, Problem] = {}
    for role, model in networks:
        if model is not None:
            block = own_block(model.config)
            problem = other_conversion(block, preprocess, role)
            if problem is not None:
                found.setdefault(block.get(CONVERSION), problem)
    return list(found.values())
