"""Checkpoints of a phase: weights, optimizer, schedule and place, saved whole and taken up again."""

import logging
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from transformers import Trainer

from ..errors import RunFailure
from .checkpoints import CheckpointStore, damage_of, publish_weights, read_selection, save_torch
from .control import Agreement
from .flow import FlowCallback
from .log_sums import LogSums
from .settings import PhaseSettings, Selection
from .sharding import gather, load_optimizer_state, optimizer_state, spread
from .stage import StageModule

log = logging.getLogger("chatstill")


class CheckpointingTrainer(Trainer):
    """Saves and loads what a phase needs to go on; ``DistillationTrainer`` is what trains it."""

    settings: PhaseSettings
    store: CheckpointStore
    selection: Selection
    sums: LogSums
    agreement: Agreement
    flow: FlowCallback
    _plain: dict[str, Tensor]
    _saved_sums: Any

    def _gathered_state(self) -> dict[str, Tensor]:
        """Trained parameters as whole CPU tensors; a collective call under FSDP."""
        return gather(self._stage().trained_state())

    def _stage(self) -> StageModule:
        stage = self.accelerator.unwrap_model(self.model)
        assert isinstance(stage, StageModule)
        return stage

    def _held(self) -> dict[str, Any]:
        """How the parameters are held, for ``train.sharding``."""
        return {"sharded": self.is_fsdp_enabled, "words": self._stage().words}

    def _refresh_kept(self) -> None:
        """Copies into the plain student what training holds apart: FSDP's shards, rows of words."""
        state = self._stage().trained_state()
        if self.is_fsdp_enabled:
            whole = gather(state)
            with torch.no_grad():
                for name, parameter in self._plain.items():
                    parameter.copy_(whole[name])

    def _process(self) -> tuple[int, int, torch.device]:
        return self.args.process_index, self.args.world_size, self.args.device

    def _save_weights(
        self, path: Path, extra: Callable[[Path], None] | None = None, **known: Any
    ) -> None:
        state = self._gathered_state()
        if self.args.process_index == 0:
            values = {**asdict(self.selection), "step": self.state.global_step, **known}
            publish_weights(path, state, values, extra)
        self.accelerator.wait_for_everyone()

    def _save_checkpoint(self, model: nn.Module, trial: Any) -> None:
        """Weights, optimizer, schedule, position; staged, synced and renamed."""
        assert self.optimizer is not None and self.lr_scheduler is not None
        optimizer = optimizer_state(model, self.optimizer, **self._held())
        schedule = self.lr_scheduler.state_dict()

        def extra(folder: Path) -> None:
            save_torch(optimizer, folder / "optimizer.pt")
            save_torch(schedule, folder / "scheduler.pt")
            if self.accelerator.scaler is not None:
                save_torch(self.accelerator.scaler.state_dict(), folder / "scaler.pt")
            self.state.save_to_json(str(folder / "trainer_state.json"))

        step = self.state.global_step
        since_log = self.sums.state(self._tr_loss, self.agreement, *self._process()[:2])
        self._save_weights(self.store.path(self.settings.index, step), extra, since_log=since_log)
        if self.args.process_index == 0:
            best = self.store.best_paths(self.settings.index, self.selection.best_step)
            self.store.rotate(best, saved=self.store.path(self.settings.index, step))
        self.flow.saved()

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        if self.is_fsdp_enabled and model is None:
            return
        state = load_file(Path(resume_from_checkpoint) / "trained.safetensors")
        self._take(state)
        known = read_selection(Path(resume_from_checkpoint))
        self.selection, self._saved_sums = Selection.of(known), known.get("since_log")
        damage = self._best_damage()
        if damage is not None:
            step, self.selection = self.selection.best_step, Selection()
            if self.args.process_index == 0:
                text = "the best weights, of step %s, are damaged and not counted: %s"
                log.warning(text, step, damage)

    def _best_damage(self) -> str | None:
        """What is wrong with the best weights so far; None also where there are none, or none are kept."""
        step = self.selection.best_step
        if self.settings.keep != "best" or step is None:
            return None
        return damage_of(self.store.path(self.settings.index, step, best=True))

    def _take(self, state: dict[str, Tensor]) -> None:
        """Loads whole tensors, sharded the way the parameters are."""
        stage = self._stage()
        stage.load_trained_state(spread(state, stage.trained_state()))

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        if checkpoint is None:
            return
        folder = Path(checkpoint)
        optimizer = torch.load(folder / "optimizer.pt", map_location="cpu", weights_only=True)
        assert self.optimizer is not None and self.lr_scheduler is not None
        assert isinstance(self.model, nn.Module)
        load_optimizer_state(self.model, self.optimizer, optimizer, **self._held())
        scheduler = torch.load(folder / "scheduler.pt", map_location="cpu", weights_only=True)
        self.lr_scheduler.load_state_dict(scheduler)

    def _load_scaler(self, checkpoint: str | None) -> None:
        path = Path(checkpoint or "") / "scaler.pt"
        if checkpoint is not None and self.accelerator.scaler is not None and path.is_file():
            state = torch.load(path, map_location="cpu", weights_only=True)
            self.accelerator.scaler.load_state_dict(state)

    def _load_callback_state(self) -> None:
        """Callbacks here keep nothing that a checkpoint would have to restore."""

    def finish_phase(self) -> None:
        """Takes the best weights if asked for, and publishes the phase's result."""
        best = self.selection.best_step
        if self.settings.keep == "best" and best is not None:
            if (damage := self._best_damage()) is not None:
                raise RunFailure(
                    f"the best weights, of step {best}, are damaged: {damage}. Start again: the run goes on "
                    "from its last checkpoint, and the best from there on counts; --fresh trains anew"
                )
            path = self.store.path(self.settings.index, best, best=True)
            self._take(load_file(path / "trained.safetensors"))
        self._refresh_kept()
        self._save_weights(self.store.path(self.settings.index))
        if self.args.process_index == 0:
            self.store.rotate(set())
