"""The masked-LM benchmark: its plain loss is the method's own, its table names every figure."""

import json

import numpy as np
import pytest
import torch
import transformers as tf
from tests.draws import reseeded
from tests.path import world

import masked_lm
import masked_lm_cells
import plain_vocabulary
from chatstill.data.masking import Masking
from chatstill.methods import masked_lm as method
from chatstill.methods.base import Context, RunValues


def terms_of(kind, network, train):
    tokenizer = world.tokenizer_of("bert")
    run = RunValues(1.0, 1e-3, masking=Masking.of(tokenizer))
    made = kind(method.Config(train=train), network, None, objective="cross_entropy", run=run)
    draws = np.random.default_rng(reseeded(3))
    ids = torch.tensor(draws.integers(5, len(tokenizer), (4, 20)))
    batch = {
        "input_ids": ids,
        "attention_mask": torch.ones_like(ids),
        "token_type_ids": torch.zeros_like(ids),
        "index": torch.arange(4),
    }
    ctx = Context(7, 0, 0, 0, 0, 10)
    batch = made.prepare_batch(batch, ctx)
    module = made.begin(made.phases()[0])
    (term,) = made.terms(batch, made.forward(module, batch, ctx), None, ctx).values()
    term.sum.backward()
    gradients = {n: p.grad.clone() for n, p in network.named_parameters() if p.grad is not None}
    network.zero_grad()
    return float(term.sum.detach()), term.count, gradients


@pytest.mark.parametrize("train", ["all", "head"])
def test_both_losses_are_one(train):
    torch.manual_seed(reseeded(1))
    config = world.config_of("bert", len(world.PIECES), 2, 0.0)
    network = tf.AutoModelForMaskedLM.from_config(config)
    ours = terms_of(method.MaskedLM, network, train)
    plain = terms_of(plain_vocabulary.Method, network, train)
    assert plain[:2] == pytest.approx(ours[:2], rel=1e-5)
    assert plain[2].keys() == ours[2].keys() and ours[2]
    for name in ours[2]:
        torch.testing.assert_close(plain[2][name], ours[2][name], rtol=1e-4, atol=1e-6)


def test_cells_are_found_again_and_others_are_others(tmp_path):
    words = ["--work", str(tmp_path), "--data", str(tmp_path)]
    cells = masked_lm_cells.plan(masked_lm.parse(words))
    again = masked_lm_cells.plan(masked_lm.parse(words))
    longer = masked_lm_cells.plan(masked_lm.parse([*words, "--steps", "500"]))
    folders = [cell.folder for cell in cells]
    assert len(set(folders)) == 4 and folders == [cell.folder for cell in again]
    assert folders[0] != longer[0].folder and folders[1] == longer[1].folder  # plain: capped
    assert all(cell.steps <= 48 for cell in cells)


def test_a_cell_that_is_there_is_not_run(tmp_path):
    words = ["--work", str(tmp_path), "--data", str(tmp_path)]
    cell = masked_lm_cells.plan(masked_lm.parse(words))[0]
    cell.figures.write_text('{"body": "head"}', encoding="utf-8")
    assert masked_lm_cells.run(cell, tmp_path / "nothing", None) == {"body": "head"}


def test_the_table_says_that_it_is_partial_and_names_every_figure(tmp_path):
    options = masked_lm.parse(["--out", str(tmp_path)])
    one = {"body": "all", "loss": "plain", "steps": 24, "tokens_per_second": 1234.4}
    one |= {"peak_bytes": 2.5e9, "masked_acc": 0.12345, "dev_loss": 6.5, "seconds": 100.0}
    masked_lm.write([one], 4, options)
    text = (tmp_path / "masked_lm.md").read_text("utf-8")
    assert "PARTIAL: 1 of 4 cells" in text
    assert "| trained | all scores at once | 24 | 0.1235 | 6.500 | 1,234 | 2,500 |" in text
    assert json.loads((tmp_path / "masked_lm.json").read_text("utf-8"))["cells"] == [one]
    masked_lm.write([one] * 4, 4, options)
    assert "PARTIAL" not in (tmp_path / "masked_lm.md").read_text("utf-8")
