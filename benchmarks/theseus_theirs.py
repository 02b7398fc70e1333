"""BERT-of-Theseus as the authors' code trains it, written again as one plain loop.

Facts of their code (`run_glue.py` with torch 1.x), none of its text: rows at random, the last batch of
an epoch smaller; one draw per module and pass from torch's own generator; every pass runs; every
parameter has gradients, the successors alone are in the optimizer; the norm that clips is that of all
gradients; `zero_grad` leaves zeros, so Adam's momentum moves on what is not drawn; order of a step:
clipping, optimizer, learning rate, gradients to zero, replacing rate. Batches are padded to their
longest row, where theirs are to the longest allowed: the same sums in less time.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np

LAYERS, RATE = 3, 0.3
SWITCHES = ("clipping-ours", "rows-ours")  # one thing each as the engine has it


def train(config: dict[str, Any], seed: int, switches: list[str], out: Path) -> None:
    """Trains, scores dev once at the end, and writes ``out``.

    Args:
        config: Of a cell of `theseus_parity.py`: the engine's own keys.
        seed: Of draws, dropout and the order of rows.
        switches: Of ``SWITCHES``.
        out: A JSON file.
    """
    import torch
    from transformers import AutoTokenizer, get_linear_schedule_with_warmup

    from chatstill.tasks import get_task

    assert set(switches) <= set(SWITCHES), switches
    teacher_folder = config["teacher_architectures"]["model_name_or_path"]
    task, reader = get_task(config["task_name"]), AutoTokenizer.from_pretrained(teacher_folder)
    rows, labels = read(task, "train", config)
    batch, limit = config["per_gpu_train_batch_size"], config["max_seq_length"]
    torch.manual_seed(seed)
    model, successors, modules = build(teacher_folder)
    start = [p.detach().clone() for p in successors.parameters()]
    plan = order_of(rows, batch, reader, limit, seed, by_length="rows-ours" in switches)
    steps = config["num_train_epochs"] * len(plan(0))
    optimizer = torch.optim.AdamW(groups(successors, config["weight_decay"]), lr=1.0)
    for group in optimizer.param_groups:
        group["lr"] = config["learning_rate"]
    warmup = int(config["warmup_percentage"] * steps)
    schedule = get_linear_schedule_with_warmup(optimizer, warmup, steps)
    clipped = successors if "clipping-ours" in switches else model
    slope, step = (1.0 - RATE) / (steps // 2), 0
    for epoch in range(config["num_train_epochs"]):
        model.train()
        for picked in plan(epoch):
            for module in modules:
                module.rate = min(1.0, RATE + slope * step)
            inputs = encode(reader, [rows[i] for i in picked], limit)
            target = torch.tensor([labels[i] for i in picked])
            loss_of(model, inputs, target).backward()
            torch.nn.utils.clip_grad_norm_(clipped.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            model.zero_grad(set_to_none=False)
            step += 1
            if step % 50 == 0:
                print(f"step {step} of {steps}", flush=True)
    moved = sum(
        float((new.detach() - old).square().sum())
        for new, old in zip(successors.parameters(), start, strict=True)
    )
    found = {"dev": score(task, model, reader, config), "steps": steps, "distance": moved**0.5}
    out.write_text(json.dumps(found) + "\n", encoding="utf-8")


def read(task: Any, split: str, config: dict[str, Any]) -> tuple[list[tuple[str, str]], list[Any]]:
    """Pairs of texts and their labels."""
    examples = list(task.read(task.find(split, Path(config["data_dir"])), split))
    return [(e.text_a, e.text_b) for e in examples], [e.label for e in examples]


def build(folder: str) -> tuple[Any, Any, list[Any]]:
    """The teacher with its layers replaced by modules of two; the successors; the modules."""
    import copy

    import torch
    from transformers import AutoModelForSequenceClassification

    class Module(torch.nn.Module):
        """A successor, and the layers it stands for."""

        def __init__(self, successor: Any, predecessors: list[Any]) -> None:
            super().__init__()
            self.successor, self.rate = successor, 1.0
            self.predecessors = torch.nn.ModuleList(predecessors)

        def forward(self, hidden: Any, *more: Any, **named: Any) -> Any:
            drawn = not self.training or bool(torch.bernoulli(torch.tensor(self.rate)))
            for layer in [self.successor] if drawn else self.predecessors:
                hidden = layer(hidden, *more, **named)
            return hidden

    model = AutoModelForSequenceClassification.from_pretrained(folder)
    layers = list(model.bert.encoder.layer)
    each = len(layers) // LAYERS
    successors = torch.nn.ModuleList(copy.deepcopy(layers[:LAYERS]))
    modules = [Module(s, layers[i * each : (i + 1) * each]) for i, s in enumerate(successors)]
    model.bert.encoder.layer = torch.nn.ModuleList(modules)
    return model, successors, modules


def groups(successors: Any, decay: float) -> list[dict[str, Any]]:
    """Decay for all but biases and LayerNorm."""
    named = list(successors.named_parameters())
    plain = [p for n, p in named if n.endswith("bias") or "LayerNorm" in n]
    return [
        {"params": [p for _, p in named if all(p is not q for q in plain)], "weight_decay": decay},
        {"params": plain, "weight_decay": 0.0},
    ]


def order_of(
    rows: list[tuple[str, str]], batch: int, reader: Any, limit: int, seed: int, *, by_length: bool
) -> Any:
    """A function from the epoch to its batches of row numbers: at random, or the engine's own."""
    from chatstill.data.sampler import BatchPlan

    if by_length:
        lengths = np.array([len(reader(*r, truncation=True, max_length=limit)[0]) for r in rows])
        plan = BatchPlan(lengths, batch, seed=seed)
        return lambda epoch: [micro[0].tolist() for micro in plan.epoch(epoch)]

    def at_random(epoch: int) -> list[list[int]]:
        order = np.random.default_rng([seed, epoch]).permutation(len(rows)).tolist()
        return [order[at : at + batch] for at in range(0, len(order), batch)]

    return at_random


def encode(reader: Any, rows: list[tuple[str, str]], limit: int) -> Any:
    """A padded batch."""
    first, second = zip(*rows, strict=True)
    return reader(
        list(first),
        list(second),
        padding=True,
        truncation=True,
        max_length=limit,
        return_tensors="pt",
    )


def loss_of(model: Any, inputs: Any, target: Any) -> Any:
    """The task's loss under bf16's autocast."""
    import torch

    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = model(**inputs).logits.float()
    if logits.shape[1] == 1:
        return torch.nn.functional.mse_loss(logits[:, 0], target.float())
    return torch.nn.functional.cross_entropy(logits, target)


def score(task: Any, model: Any, reader: Any, config: dict[str, Any]) -> dict[str, float]:
    """The task's metrics of the successors alone."""
    import torch

    rows, labels = read(task, "dev", config)
    model.eval()
    found = []
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        for at in range(0, len(rows), 64):
            inputs = encode(reader, rows[at : at + 64], config["max_seq_length"])
            found.append(model(**inputs).logits.float().numpy())
    none = None
    return dict(task.metrics(np.concatenate(found), np.array(labels, dtype=float), none))
