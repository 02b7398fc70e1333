"""Steps of Theseus against plain arithmetic of the authors' code: what a step does not draw moves on.

Theirs ran on torch 1.x, where `zero_grad` leaves zeros: Adam's moments of a successor that is not drawn
decay and still move it, and weight decay does, once it had a gradient. Ours makes no pass for it.
"""

import copy
import math
from types import SimpleNamespace

import pytest
import torch

from chatstill.methods.base import Context
from chatstill.train import trainer
from chatstill.train.gradients import fill_absent
from chatstill.train.phases import run_phases
from tests.draws import reseeded
from tests.longer import longer

from .conftest import DyingSteps, Killed, ToySteps, build_engine, build_method, weights

STEPS = 12
RATE, WARMUP, DECAY, LIMIT, EPSILON, BETAS = 1e-2, 3, 0.1, 0.003, 1e-5, (0.9, 0.999)
KNOBS = {"replacing_rate": 0.35, "scheduler_linear_k": 0.01}
SETTINGS = {
    "warmup_steps": WARMUP,
    "weight_decay": DECAY,
    "max_grad_norm": LIMIT,
    "adam_epsilon": EPSILON,  # what is 0 but for rounding is not blown up
}


def train(folder, steps, **settings):
    method = build_method("theseus", dropout=0.0, **KNOBS)
    engine = build_engine(folder, steps, args=SETTINGS, **settings)
    run_phases(method, engine)
    return method, engine


def draws_of(method, accumulation=1) -> list[list[list[bool]]]:
    """Of every step, of every micro-batch."""
    where = [
        [Context(reseeded(7), 0, step, micro, 0, STEPS) for micro in range(accumulation)]
        for step in range(STEPS)
    ]
    return [[method.draws(ctx) for ctx in step] for step in where]


class Theirs:
    """Their loop: the successors' numbers, their moments, and a step of AdamW by hand."""

    def __init__(self) -> None:
        method = build_method("theseus", dropout=0.0, **KNOBS)
        self.teacher = copy.deepcopy(method.teacher).requires_grad_(False)
        self.layers = copy.deepcopy(method.student.bert.encoder.layer).requires_grad_(True)
        self.named = dict(self.layers.named_parameters())
        zeros = {name: torch.zeros_like(p) for name, p in self.named.items()}
        self.gradient: dict[str, torch.Tensor | None] = dict.fromkeys(self.named)
        self.first, self.second = dict(zeros), dict(zeros)
        self.count = dict.fromkeys(self.named, 0)

    def loss(self, batch, drawn):
        """Cross-entropy summed over the rows of a micro-batch: teacher layers where none is drawn."""
        mask = batch["attention_mask"][:, None, None, :].bool()
        hidden = self.teacher.bert.embeddings(input_ids=batch["input_ids"])
        for number, use in enumerate(drawn):
            pair = self.teacher.bert.encoder.layer[2 * number : 2 * number + 2]
            for layer in [self.layers[number]] if use else pair:
                hidden = layer(hidden, mask)
        logits = self.teacher.classifier(self.teacher.bert.pooler(hidden))
        picked = torch.log_softmax(logits, -1)[torch.arange(len(logits)), batch["labels"]]
        return -picked.sum()

    def step(self, micro_batches, draws, number) -> None:
        """Gradients of zero from a parameter's first gradient on, clipping, AdamW, the schedule."""
        rows = sum(len(batch["labels"]) for batch in micro_batches)
        for batch, drawn in zip(micro_batches, draws, strict=True):
            if any(drawn):
                (self.loss(batch, drawn) / rows).backward()
        for name, parameter in self.named.items():
            if parameter.grad is not None:
                self.gradient[name] = parameter.grad.clone()
            elif self.gradient[name] is not None:
                self.gradient[name] = torch.zeros_like(parameter)
            parameter.grad = None
        given = {name: grad for name, grad in self.gradient.items() if grad is not None}
        norm = math.sqrt(sum(float(grad.square().sum()) for grad in given.values()))
        scale = min(1.0, LIMIT / norm) if norm else 1.0
        left = STEPS - number
        rate = RATE * (number / WARMUP if number < WARMUP else left / (STEPS - WARMUP))
        for name, grad in given.items():
            self.adam(name, grad * scale, rate)

    @torch.no_grad()
    def adam(self, name, grad, rate) -> None:
        """No decay for biases and LayerNorm."""
        value = self.named[name]
        if "bias" not in name and "LayerNorm" not in name:
            value -= rate * DECAY * value
        self.count[name] += 1
        first = self.first[name] = BETAS[0] * self.first[name] + (1 - BETAS[0]) * grad
        second = self.second[name] = BETAS[1] * self.second[name] + (1 - BETAS[1]) * grad**2
        first = first / (1 - BETAS[0] ** self.count[name])
        second = second / (1 - BETAS[1] ** self.count[name])
        value -= rate * first / (second.sqrt() + EPSILON)


def difference(method, theirs) -> float:
    """The largest one of all numbers of the successors."""
    ours = dict(method.kept().bert.encoder.layer.named_parameters())
    assert ours.keys() == theirs.named.keys()
    return max(float((ours[n] - p).detach().abs().max()) for n, p in theirs.named.items())


def run_theirs(method, steps, accumulation):
    theirs, data, draws = Theirs(), steps.start(0), draws_of(method, accumulation)
    for number in range(STEPS):
        theirs.step(next(data)[1], draws[number], number)
    return theirs, [[any(use) for use in zip(*step, strict=True)] for step in draws]


@pytest.mark.parametrize("accumulation", [1, 2])
def test_steps_are_those_of_the_authors_code(tmp_path, accumulation):
    steps = ToySteps(rows=24 * accumulation, accumulation=accumulation)
    method, engine = train(tmp_path, steps)
    theirs, drawn = run_theirs(method, steps, accumulation)
    assert difference(method, theirs) < 2e-5
    known = next(number for number, step in enumerate(drawn) if any(step))
    later = drawn[known + 1 :]
    assert any(any(step) and not all(step) for step in later), "no step leaves a successor out"
    norms = [r["grad_norm"] for r in engine.records if r.get("grad_norm") is not None]
    assert max(norms) > LIMIT, "nothing was clipped"
    if accumulation == 1:
        assert any(not any(step) for step in later), "every step draws something"
        assert len(norms) == sum(map(any, drawn))


def test_a_successor_that_stands_still_shows(tmp_path, monkeypatch):
    """Planted fault: gradients of None, which torch's optimizers pass by."""
    monkeypatch.setattr(trainer, "fill_absent", lambda optimizer: False)
    method, _ = train(tmp_path, ToySteps())
    theirs, _ = run_theirs(method, ToySteps(), 1)
    assert difference(method, theirs) > 5e-3


def test_a_step_without_a_draw_moves_what_was_drawn_before(tmp_path, monkeypatch):
    """And makes no pass; what was never drawn stays where it is."""
    update, seen = trainer.DistillationTrainer._update, []

    def watched(self, *, backward):
        layers = self.method.student.bert.encoder.layer
        before = [copy.deepcopy(layer.state_dict()) for layer in layers]
        done = update(self, backward=backward)
        seen.append([moved(old, layer) for old, layer in zip(before, layers, strict=True)])
        assert (self._forwards > 0) == backward
        self._forwards = 0
        return done

    def counted(self, *args):
        self._forwards += 1
        return forward(self, *args)

    def moved(old, layer):
        return any(not torch.equal(old[name], t) for name, t in layer.state_dict().items())

    forward = trainer.DistillationTrainer._forward_backward
    monkeypatch.setattr(trainer.DistillationTrainer, "_forwards", 0, raising=False)
    monkeypatch.setattr(trainer.DistillationTrainer, "_forward_backward", counted)
    monkeypatch.setattr(trainer.DistillationTrainer, "_update", watched)
    method, _ = train(tmp_path, ToySteps())
    draws, known, empty = [step[0] for step in draws_of(method)], [False, False], 0
    assert len(seen) == STEPS
    for number in range(1, STEPS):  # the first step's learning rate is 0
        known = [old or new for old, new in zip(known, draws[number - 1], strict=True)]
        expected = [old or new for old, new in zip(known, draws[number], strict=True)]
        assert seen[number] == expected, number
        empty += any(known) and not any(draws[number])
    assert empty


@pytest.mark.parametrize("at", longer([3, *(at for at in range(1, STEPS) if at != 3)]))
def test_a_run_that_goes_on_knows_what_was_drawn(tmp_path, at):
    """Killed before any step: the moments of the checkpoint tell, no gradient has to be kept."""
    unbroken, _ = train(tmp_path / "a", ToySteps(), save_steps=1)
    with pytest.raises(Killed):
        train(tmp_path / "b", DyingSteps(at), save_steps=1)
    again, _ = train(tmp_path / "b", ToySteps(), save_steps=1)
    left, right = weights(unbroken.kept()), weights(again.kept())
    assert all(torch.equal(left[name], right[name]) for name in left)


def test_the_scaler_of_fp16_has_no_part_in_a_step_without_a_pass():
    """It scaled nothing there, and after a resume knows no scale: its step would fail."""
    called, hooks = [], SimpleNamespace(on_pre_optimizer_step=lambda *_: None)
    hooks.on_optimizer_step = lambda *_: None
    parameter = torch.nn.Parameter(torch.ones(2))
    optimizer = SimpleNamespace(
        optimizer=SimpleNamespace(step=lambda: called.append("torch's")),
        step=lambda: called.append("the scaler's"),
        state={parameter: {"step": 1}},
        param_groups=[{"params": [parameter]}],
    )
    step = object.__new__(trainer.DistillationTrainer)
    step.optimizer, step.callback_handler, step.is_deepspeed_enabled = optimizer, hooks, False
    step.args = step.state = step.control = None
    step.accelerator = SimpleNamespace(optimizer_step_was_skipped=True)
    assert step._update(backward=False) and called == ["torch's"]
    assert not step._update(backward=True) and called[1:] == ["the scaler's"]
    optimizer.state, parameter.grad = {}, None
    assert step._update(backward=False) and len(called) == 2, "nothing had a gradient yet"


def test_only_what_has_moments_gets_zeros():
    parameters = [torch.nn.Parameter(torch.ones(3)) for _ in range(3)]
    optimizer = torch.optim.AdamW(parameters)
    parameters[0].grad, parameters[1].grad = torch.ones(3), torch.ones(3)
    optimizer.step()
    optimizer.zero_grad()
    parameters[0].grad = torch.full((3,), 2.0)
    assert fill_absent(optimizer)
    assert parameters[0].grad.tolist() == [2.0] * 3 and parameters[1].grad.tolist() == [0.0] * 3
    assert parameters[2].grad is None
    assert not fill_absent(optimizer)
