"""Where a step's teacher features come from: a live network, or what was stored of one before."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import torch
from torch import Tensor
from transformers import PreTrainedModel

from ..features.base import Features, Needs
from ..features.capture import teachers_view
from ..methods.base import Method, Phase
from ..models.outputs import as_read
from ..models.reading import read_features


class TeacherSource(Protocol):
    """A method cannot tell which kind it is given."""

    def features(self, batch: Mapping[str, Tensor]) -> Features:
        """What the method needs of the teacher for these rows, without a graph.

        Args:
            batch: One local micro-batch on its device; ``index`` (B,) holds the row numbers.
        """
        ...


class LiveTeacher:
    """Runs the teacher: eval mode, no gradient, ended after the highest layer that is needed.

    It is no module: nothing that walks over the trained network's modules (``train()``, DDP,
    checkpoints) ever reaches it.

    Args:
        teacher: Moved to the device of the first batch.
        needs: What is kept.
    """

    def __init__(self, teacher: PreTrainedModel, needs: Needs) -> None:
        self.teacher, self.needs = teacher, needs
        self._device: torch.device | None = None

    @torch.no_grad()
    def features(self, batch: Mapping[str, Tensor]) -> Features:
        """See ``TeacherSource``."""
        device = batch["input_ids"].device
        if device != self._device:
            torch.nn.Module.to(self.teacher, device)
            self._device = device
        self.teacher.eval()
        found = read_features(self.teacher, teachers_view(batch), self.needs, stop_early=True)
        if found.logits is not None:
            found.logits = as_read(self.teacher, found.logits)
        return found


def live_source(method: Method, phase: Phase) -> LiveTeacher | None:
    """The live teacher of a phase; None where the method reads nothing of it."""
    needs, teacher = method.needs(phase).get("teacher", Needs()), method.teacher_of(phase)
    if teacher is None or not needs.any:
        return None
    return LiveTeacher(teacher, needs)
