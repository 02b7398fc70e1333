"""``transformers.Trainer``, subclassed once, for every method and phase.

Kept from it: accelerate (DDP, FSDP), mixed precision, optimizers, schedules, callbacks, clipping. Ours:
the step itself (counts over all processes first, no pass for micro-batches without a gradient, every random
number a function of seed and step), checkpoints, evaluation of the kept network, best/last selection.
"""

import contextlib
import math
import warnings
from collections.abc import Generator, Iterator
from dataclasses import replace
from typing import Any

import torch
from torch import nn
from transformers import TrainingArguments
from transformers.trainer_callback import DefaultFlowCallback, PrinterCallback

from ..errors import RunFailure
from ..losses.sums import wide
from ..methods.base import Context, Method
from .arguments import takes_rows
from .checkpointing import CheckpointingTrainer
from .control import Agreement
from .engine import Engine
from .flow import FlowCallback
from .gradients import clip, fill_absent
from .kernels import quick_kernels
from .log_sums import LogSums
from .not_finite import look, not_finite
from .settings import Batch, Length, Selection, phase_settings
from .stage import StageModule


class DistillationTrainer(CheckpointingTrainer):
    """Trains one phase of a method.

    Args:
        method: Where terms, counts and draws come from.
        index: Number of the phase.
        args: TrainingArguments, made by ``train.arguments``.
        engine: What all phases share.
    """

    def __init__(self, method: Method, index: int, args: TrainingArguments, engine: Engine) -> None:
        self.method, self.phase = method, method.phases()[index]
        self.steps, self.store, self.stop = engine.data[self.phase.data], engine.store, engine.stop
        settings = phase_settings(engine.config, index, self.steps.steps_per_epoch)
        self.evaluate_kept, self.lower_is_better = engine.looks(method, index)
        self.settings = settings if self.evaluate_kept else replace(settings, eval_steps=0)
        self.on_log = engine.on_log
        self.selection, self.sums = Selection(), LogSums()
        tokens = engine.tokens.get(self.phase.data) if takes_rows(args) else None
        source = engine.sources.get(self.phase.name)
        states = engine.states.get(self.phase.name)
        self.stage = StageModule(method, self.phase, source, tokens, states)
        self._plain = self.stage.trained_state()
        super().__init__(model=self.stage, args=args)
        self.accelerator.gradient_accumulation_steps = 1  # counts are ours; nobody divides again
        for callback in (DefaultFlowCallback, PrinterCallback):
            self.remove_callback(callback)
        self.agreement = Agreement()
        self.flow = FlowCallback(self.settings, self.agreement, self.stop)
        self.add_callback(self.flow)
        self._saved_sums: Any = None
        self._iterator: Iterator[tuple[int, list[Batch]]] | None = None

    # -- data ------------------------------------------------------------------------------------

    def get_train_dataloader(self) -> Any:
        """Length in micro-batches is all that the Trainer's loop asks; the data come by step."""
        return Length(self.steps.steps_per_epoch * self.args.gradient_accumulation_steps)

    def num_examples(self, dataloader: Any) -> int:
        return self.steps.num_rows

    def close_data(self) -> None:
        """Ends the thread that loads ahead; the phase is over or has failed."""
        if isinstance(self._iterator, Generator):
            self._iterator.close()
        self._iterator = None

    # -- the loop --------------------------------------------------------------------------------

    def train(self, *args: Any, **kwargs: Any) -> Any:
        """The Trainer's own, from the given checkpoint on."""
        with quick_kernels(), warnings.catch_warnings():
            # Where the first step draws nothing, the schedule steps before the optimizer: as meant.
            warnings.filterwarnings("ignore", message="Detected call of `lr_scheduler.step")
            return super().train(*args, **kwargs)

    def _run_epoch(self, model: nn.Module, epoch: int, *args: Any, **kwargs: Any) -> None:
        """One epoch of optimizer steps, from wherever the run stands."""
        trial, ignore_keys = kwargs.get("trial"), kwargs.get("ignore_keys_for_eval")
        per_epoch = self.steps.steps_per_epoch
        if self._iterator is None:
            self._iterator = self.steps.start(self.state.global_step, self.state.max_steps)
            # float32 would lose digits that the run without a break keeps
            kept = self.sums.restore(self._saved_sums, *self._process())
            self._tr_loss = wide(self._tr_loss) + kept
            self._globalstep_last_logged = self.state.global_step - self.sums.steps
        if self._is_over():
            self.control.should_training_stop = True
            return
        while self.state.global_step < (epoch + 1) * per_epoch:
            self.control = self.callback_handler.on_step_begin(self.args, self.state, self.control)
            _, micro_batches = next(self._iterator)
            grad_norm, rate = self._optimizer_step(model, micro_batches, epoch)
            self.state.global_step += 1
            self.state.epoch = self.state.global_step / per_epoch
            self.control = self.callback_handler.on_step_end(self.args, self.state, self.control)
            self._maybe_log_save_evaluate(
                self._tr_loss,
                grad_norm,
                model,
                trial,
                epoch,
                ignore_keys,
                kwargs["start_time"],
                rate,
            )
            if self.control.should_training_stop:
                break

    def _is_over(self) -> bool:
        """Resumed at the very end of the phase: nothing is left to train."""
        patience = self.settings.patience
        out_of_patience = patience is not None and self.selection.evaluations_since >= patience
        return self.state.global_step >= self.state.max_steps or out_of_patience

    def _contexts(self, epoch: int, number: int) -> list[Context]:
        return [
            Context(
                seed=self.settings.seed,
                phase=self.settings.index,
                step=self.state.global_step,
                micro_batch=index,
                epoch=epoch,
                num_steps=self.state.max_steps,
                rank=self.args.process_index,
            )
            for index in range(number)
        ]

    def _optimizer_step(
        self, model: nn.Module, micro_batches: list[Batch], epoch: int
    ) -> tuple[float | None, float]:
        """Forward, backward and update; what is outside the path has a gradient of zero.

        Returns:
            The gradient norm before clipping (None if nothing drew a gradient) and the learning rate.
        """
        model.train()
        contexts = self._contexts(epoch, len(micro_batches))
        micro_batches = list(map(self.method.prepare_batch, micro_batches, contexts))
        counts = self.agreement.sums_by_name(map(self.method.counts, micro_batches, contexts))
        active = [ctx for ctx in contexts if self.method.contributes(ctx)]
        for ctx in active:
            last = ctx is active[-1]
            self.accelerator.gradient_state._set_sync_gradients(last)
            sync = contextlib.nullcontext() if last else self.accelerator.no_sync(model=model)
            with sync:
                self._forward_backward(model, micro_batches[ctx.micro_batch], ctx, counts)
        assert self.lr_scheduler is not None
        learning_rate = self._get_learning_rate()
        grad_norm = self._clip(model, micro_batches, active) if active else None
        if self._update(backward=bool(active)):
            self.lr_scheduler.step()
        model.zero_grad()
        self.sums.add_step(len(active) / len(micro_batches))
        return grad_norm, learning_rate

    def _forward_backward(
        self, model: nn.Module, batch: Batch, ctx: Context, counts: dict[str, float]
    ) -> None:
        # Dropout is a function of (seed, phase, step, micro-batch, rank): a resumed run needs no
        # generator state, and an evaluation in between changes nothing.
        torch.manual_seed(ctx.number("dropout", shared=False))
        inputs = self._prepare_inputs(batch)
        with self.compute_loss_context_manager():
            loss, shares = model(inputs, ctx, counts, float(self.args.world_size))
        self.accelerator.backward(loss)
        self._tr_loss = self._tr_loss + wide(loss.detach())
        self.sums.add_terms(shares)

    def _not_finite(self, micro_batches: list[Batch], active: list[Context]) -> RunFailure:
        inputs = [(self._prepare_inputs(micro_batches[c.micro_batch]), c) for c in active]
        with self.compute_loss_context_manager():  # FSDP's parts alone make no forward pass
            found = None if self.is_fsdp_enabled else look(self._stage(), inputs)
        return not_finite(self.phase.name, active[0].step + 1, found, self.method, self.store)

    def _clip(self, model: nn.Module, micro_batches: list[Batch], active: list[Context]) -> float:
        """Clips and looks for values that are not finite, before the optimizer steps."""
        limit = self.args.max_grad_norm
        grad_norm = clip(self.accelerator, model, limit, sharded=self.is_fsdp_enabled)
        # fp16: the scaler skips such steps itself
        if not math.isfinite(grad_norm) and self.accelerator.scaler is None:
            raise self._not_finite(micro_batches, active)
        return grad_norm

    def _update(self, *, backward: bool) -> bool:
        """The optimizer's step; False where fp16's scaler skipped it."""
        optimizer = self.optimizer
        assert optimizer is not None
        # DeepSpeed holds gradients itself, zeros among them.
        filled = not self.is_deepspeed_enabled and fill_absent(optimizer)
        if not (filled or backward):
            return True
        self.callback_handler.on_pre_optimizer_step(self.args, self.state, self.control)
        # Without a backward pass the scaler has scaled nothing, and after a resume knows no scale.
        (optimizer if backward else getattr(optimizer, "optimizer", optimizer)).step()
        self.control = self.callback_handler.on_optimizer_step(self.args, self.state, self.control)
        return not backward or not self.accelerator.optimizer_step_was_skipped

    # -- evaluation, logs ------------------------------------------------------------------------

    def _evaluate(
        self, trial: Any, ignore_keys_for_eval: Any, skip_scheduler: bool = False
    ) -> dict[str, float]:
        """Scores the kept network; remembers its weights if they are the best and asked for."""
        assert self.evaluate_kept is not None
        self._refresh_kept()
        value, metrics = self.evaluate_kept()
        is_best = self.selection.update(value, self.state.global_step, lower=self.lower_is_better)
        if is_best and self.settings.keep == "best":
            self._save_weights(
                self.store.path(self.settings.index, self.state.global_step, best=True)
            )
        self._record(
            {"step": self.state.global_step, **{f"dev/{k}": v for k, v in metrics.items()}}
        )
        patience = self.settings.patience
        if patience is not None and self.selection.evaluations_since >= patience:
            self.control.should_training_stop = True
        return metrics

    def _determine_best_metric(self, metrics: dict[str, float], trial: Any) -> bool:
        return False

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Adds terms (plain and weighted) and gauges; everything goes to ``on_log``.

        Losses are means over the micro-batches that were trained on; None if there was none.
        """
        if "loss" not in logs:
            return
        record: dict[str, Any] = {"step": self.state.global_step, "epoch": self.state.epoch, **logs}
        record.update(self.sums.means(logs["loss"], self.agreement))
        context = self._contexts(int(self.state.epoch or 0), 1)[0]
        record.update(self.method.gauges(context))
        self._record(record)
        self.control = self.callback_handler.on_log(self.args, self.state, self.control, record)

    def _record(self, record: dict[str, Any]) -> None:
        if self.args.process_index == 0:
            self.on_log({"phase": self.phase.name, "phase_index": self.settings.index, **record})
