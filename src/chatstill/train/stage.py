"""The module that the engine trains: networks and terms of one phase behind a single ``forward``."""

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from ..errors import Problem, UserError
from ..features.base import Features
from ..losses.term import Term
from ..methods.base import Context, Method, Phase
from ..models.structure import KeptBuffers, structural_copy
from ..models.word_rows import cut_to_rows
from .kernels import quick_attention
from .teachers import TeacherSource, live_source


class AddsStates(Protocol):
    """See ``frozen_states.FrozenStates``."""

    def added(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]: ...


class StageModule(nn.Module):
    """Runs the networks of a phase and adds up its terms.

    Everything trained is called through here, so that DDP's reduction and autocast always apply. The
    teacher is not part of this module tree: ``train()`` never reaches it, checkpoints never hold it.

    Args:
        method: Its networks and terms.
        phase: What is trained.
        source: Where the teacher's features come from; None runs the teacher itself, if it is needed.
        tokens: Ids of the tokens that the rows hold, padding among them: of the word embeddings those
            alone are trained. None trains the whole table.
        states: Gives batches stored states of what of the student is not trained; None computes them.

    Attributes:
        trained: The method's module, in a structure of its own over the same parameters.
        words: Its word embeddings where they were cut to rows.
    """

    def __init__(
        self,
        method: Method,
        phase: Phase,
        source: TeacherSource | None = None,
        tokens: np.ndarray | None = None,
        states: AddsStates | None = None,
    ) -> None:
        super().__init__()
        # Own structure, same parameters: train/eval flags and FSDP's shards never touch the kept network.
        self.trained = structural_copy(method.begin(phase))
        self._kept_buffers = KeptBuffers(self.trained, method.student)
        self.words = None
        if tokens is not None and not method.makes_tokens:
            self.words = cut_to_rows(self.trained, method.student, tokens)
        self._method = method
        self._source = source if source is not None else live_source(method, phase)
        self._states = states

    def forward(
        self, batch: Mapping[str, Tensor], ctx: Context, counts: Mapping[str, float], scale: float
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The local share of the step's loss.

        Args:
            batch: One local micro-batch.
            ctx: Where training stands.
            counts: Count of each term over the whole step: all processes, all micro-batches.
            scale: Undoes the averaging over processes that DDP and FSDP apply to gradients.

        Returns:
            The loss to differentiate (scalar), and each term's local ``sum / count``: plain under its
            name, times its weight under ``<name>_weighted``.
        """
        _, _, terms = self.parts(batch, ctx)
        if terms.keys() != counts.keys():
            raise AssertionError(f"terms {sorted(terms)} were announced as {sorted(counts)}")
        total: Tensor | None = None
        shares = {}
        for name, term in terms.items():
            share = term.sum / (counts[name] or 1.0)  # no row of the step counts: the sum is 0
            shares[name] = share.detach()
            shares[f"{name}_weighted"] = share.detach() * term.weight
            weighted = share * (term.weight * scale)
            total = weighted if total is None else total + weighted
        assert total is not None, "a method needs at least one term"
        return total, shares

    def parts(
        self, batch: Mapping[str, Tensor], ctx: Context
    ) -> tuple[Features, Features | None, dict[str, Term]]:
        """The student's features, the teacher's (None where nothing of it is read), and the terms."""
        if self._states is not None:
            batch = self._states.added(batch)
        with quick_attention(batch["input_ids"]):
            features = self._method.forward(self.trained, batch, ctx)
        teacher = self._source.features(batch) if self._source is not None else None
        return features, teacher, self._method.terms(batch, features, teacher, ctx)

    def activation_checkpointing_enable(self, **options: Any) -> None:
        """Has the networks inside compute their activations again in the backward pass; asked by the Trainer.

        Never by torch's reentrant way: its first pass keeps no graph, so that terms of attention, which are
        read in that pass, would train nothing.

        Raises:
            UserError: one of them cannot.
        """
        for key in options:
            if key.endswith("checkpointing_kwargs"):
                options[key] = {**(options[key] or {}), "use_reentrant": False}
        covered: set[int] = set()
        for part in self.trained.modules():
            if isinstance(part, PreTrainedModel) and id(part) not in covered:
                covered |= {id(inner) for inner in part.modules()}
                enable = getattr(part, "activation_checkpointing_enable", None)
                try:
                    (enable or part.gradient_checkpointing_enable)(**options)
                except ValueError as error:
                    raise UserError(
                        Problem(
                            "training_arguments", str(error), code="training.checkpointing-refused"
                        )
                    ) from None

    gradient_checkpointing_enable = activation_checkpointing_enable
    """Its name in earlier versions of transformers."""

    def trained_state(self) -> dict[str, Tensor]:
        """The trained parameters and the buffers by name; the same on every run of a configuration.

        Tables are whole, those of the kept network, and current; so are its buffers then.
        """
        state: dict[str, Tensor] = {
            name: parameter
            for name, parameter in self.named_parameters()
            if parameter.requires_grad
        }
        state |= {f"trained.{n}": self.trained.get_buffer(n) for n in self._kept_buffers.names}
        self._kept_buffers.put_back()
        if self.words is not None:
            self.words.put_back()
            state[f"trained.{self.words.name}"] = self.words.full
        return state

    @torch.no_grad()
    def load_trained_state(self, state: Mapping[str, Tensor]) -> None:
        """Copies saved values in, strictly: another set of names or shapes is an error."""
        trained = self.trained_state()
        if trained.keys() != state.keys():
            missing, extra = (
                sorted(trained.keys() - state.keys()),
                sorted(state.keys() - trained.keys()),
            )
            raise ValueError(f"checkpoint lacks {missing[:3]}, has unknown {extra[:3]}")
        for name, parameter in trained.items():
            if parameter.shape != state[name].shape:
                raise ValueError(
                    f"{name}: {tuple(state[name].shape)} in the checkpoint, "
                    f"{tuple(parameter.shape)} expected"
                )
            parameter.copy_(state[name])
        self._kept_buffers.put_back()
        if self.words is not None:
            self.words.take_over()
