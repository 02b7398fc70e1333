"""A method's own loss on held-out rows: worked out row by row, whatever the batches and processes."""

from collections import Counter

import numpy as np
import pytest
import torch
from tests.train.conftest import ToySteps, assert_same_weights, build_method, weights
from torch.nn import functional as F

from chatstill.errors import RunFailure
from chatstill.evaluate.own_loss import own_loss
from chatstill.losses import Term
from chatstill.methods.base import Context

pytestmark = pytest.mark.smoke

TEMPERATURE = 4.0
TERMS = {
    "soft": {"feature": "logits", "loss": "kl", "temperature": TEMPERATURE, "weight": 0.7},
    "hard": {"feature": "logits", "loss": "hard", "weight": 0.3},
    "hidden": {"feature": "hidden_states", "loss": "mse", "pairs": [[1, 2], [2, 4]], "weight": 2.0},
}
STEP1 = {
    name: {"feature": feature, "loss": "mse", "pairs": [[1, 2]], "positions": "all"}
    for name, feature in (("hidden", "hidden_states"), ("attention", "attention_scores"))
}


class HeldOut:
    """Rows of different lengths; a batch is as wide as its longest row, or ``wider`` still."""

    teacher = None

    def __init__(self, rows: int = 13, wider: int = 0) -> None:
        self.toy, self.wider = ToySteps(rows=rows), wider
        self.lengths = self.toy.lengths

    def __len__(self) -> int:
        return len(self.lengths)

    def batch(self, rows: np.ndarray) -> dict[str, torch.Tensor]:
        whole = self.toy.rows(np.asarray(rows))
        longest = int(self.lengths[rows].max())
        for key in ("input_ids", "attention_mask"):
            whole[key] = F.pad(whole[key][:, :longest], (0, self.wider))
        return whole


def loss_of(method, rows=None, batch_size=4, index=0, **processes):
    rows = HeldOut() if rows is None else rows
    device = torch.device("cpu")
    return own_loss(
        method, index, rows, HeldOut.batch, device=device, batch_size=batch_size, **processes
    )


def by_hand(method, rows):
    """Every row alone, without padding, in plain torch."""
    student, teacher = method.student.eval(), method.teacher.eval()
    (projection,) = method.projections.values()
    sums, counts = Counter(), Counter()
    for row in range(len(rows)):
        batch = rows.batch(np.array([row]))
        inputs = {k: batch[k] for k in ("input_ids", "attention_mask")}
        with torch.no_grad():
            mine, theirs = (n(**inputs, output_hidden_states=True) for n in (student, teacher))
            p, q = (
                torch.softmax(out.logits[0].double() / TEMPERATURE, -1) for out in (theirs, mine)
            )
            sums["soft"] += float((p * (p.log() - q.log())).sum()) * TEMPERATURE**2
            sums["hard"] -= float(torch.log_softmax(mine.logits[0], -1)[batch["labels"][0]])
            for own, aim in ((1, 2), (2, 4)):
                apart = projection(mine.hidden_states[own]) - theirs.hidden_states[aim]
                sums["hidden"] += float(apart.square().sum())
        counts.update({"soft": 1, "hard": 1, "hidden": 16 * int(rows.lengths[row])})
    return {name: sums[name] / counts[name] for name in sums}


def test_each_term_is_its_sum_over_its_count_and_the_total_is_weighted():
    method, rows = build_method("matches", dropout=0.5, terms=TERMS), HeldOut()
    with torch.no_grad():  # answers that differ
        method.student.classifier.weight *= 100
        method.teacher.classifier.weight *= 100
    found, wanted = loss_of(method, rows), by_hand(method, rows)
    assert found == pytest.approx(
        {
            "loss": 0.7 * wanted["soft"] + 0.3 * wanted["hard"] + 2 * wanted["hidden"],
            **{f"term/{name}": value for name, value in wanted.items()},
        },
        rel=1e-5,
    )


@pytest.mark.parametrize("terms", [TERMS, STEP1], ids=["valid positions", "padding counts"])
def test_neither_batches_nor_padding_change_it(terms):
    method = build_method("matches", terms=terms)
    found = [loss_of(method, batch_size=size) for size in (1, 3, 64)]
    if terms is TERMS:
        found.append(loss_of(method, HeldOut(wider=3)))
    for other in found[1:]:
        assert other == pytest.approx(found[0], rel=1e-6)


@pytest.mark.parametrize("processes", [2, 40])
def test_several_processes_find_what_one_finds(processes):
    """With more processes than batches some have none; all the same they know the terms."""
    method, shares = build_method("matches", terms=TERMS), []

    def keep(share):
        shares.append(share)
        return share

    for rank in range(processes):
        loss_of(method, rank=rank, world_size=processes, add_up=keep)
    together = loss_of(
        method, rank=processes, world_size=processes + 1, add_up=lambda own: sum(shares)
    )
    assert together == pytest.approx(loss_of(method), rel=1e-12)


def test_nothing_of_the_networks_is_changed():
    method = build_method("matches", terms=STEP1)
    method.begin(method.phases()[0])
    method.student.train()
    before, trained = weights(method.student), trained_of(method.student)
    state = torch.get_rng_state()
    assert loss_of(method) == loss_of(method)
    assert_same_weights(before, weights(method.student))
    assert trained_of(method.student) == trained and method.student.training
    assert torch.equal(state, torch.get_rng_state())
    assert not any("classifier" in name for name in trained), "no term reads it"


def trained_of(model):
    return {name for name, parameter in model.named_parameters() if parameter.requires_grad}


def test_what_is_drawn_of_a_row_hangs_on_its_number_alone():
    """Masks of the held-out rows are fixed: no seed, no batch and no step changes them."""
    method = build_method("finetune")
    seen = {}

    def prepare_batch(batch, ctx):
        drawn = [ctx.row_generator("masking", row).random() for row in batch["index"].tolist()]
        for row, number in zip(batch["index"].tolist(), drawn, strict=True):
            assert seen.setdefault(row, number) == number
        return {**batch, "drawn": torch.tensor(drawn, dtype=torch.float64)}

    def terms(batch, student, teacher, ctx: Context):
        return {"task": Term(batch["drawn"].sum(), float(len(batch["drawn"])))}

    method.prepare_batch, method.terms = prepare_batch, terms
    found = [loss_of(method, batch_size=size)["loss"] for size in (1, 5, 64)]
    assert found[1:] == pytest.approx(found[:1] * 2, rel=1e-12)
    assert found[0] == pytest.approx(np.mean([seen[row] for row in range(13)]))
    assert len(set(seen.values())) == 13


def test_a_loss_that_is_not_finite_ends_the_run():
    method = build_method("matches", terms=TERMS)
    with torch.no_grad():
        method.student.classifier.bias.fill_(torch.nan)
    with pytest.raises(RunFailure, match="term/hard"):
        loss_of(method)


def test_a_term_that_no_row_counts_is_nothing():
    method = build_method("matches", terms=TERMS)
    rows = HeldOut()
    rows.toy.labels = np.full(len(rows), -100)
    found = loss_of(method, rows)
    assert found["term/hard"] == 0
    assert found["loss"] == pytest.approx(0.7 * found["term/soft"] + 2 * found["term/hidden"])
