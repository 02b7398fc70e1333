"""Stored states of a frozen ELMo are those that it computes, for any rows in any order."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from rich.console import Console

from chatstill.config.schema import RunConfig
from chatstill.features.base import Needs
from chatstill.features.frozen import PLACES, STATES, frozen_part
from chatstill.methods.base import Phase
from chatstill.models.custom import register_networks
from chatstill.models.load import new_classifier
from chatstill.models.networks import network
from chatstill.models.networks.base import Start
from chatstill.models.networks.elmo.frozen import layers_of
from chatstill.text.byte_tokenizer import END_ID, FIRST_ID, ByteTokenizer
from chatstill.train import frozen_states
from chatstill.train.frozen_states import open_states, settle_states, texts_in
from tests.draws import reseeded
from tests.elmo_by_hand import write_elmo

PAIRS = [
    ("where is the box", "sure"),
    ("a cat", "where is the box"),
    ("the", ""),
    ("", ""),
    ("where is the box", "no, it is in the naïve 箱子 over there"),
]
FORMS = [{}, {"pooling": "max", "layer_norm": True, "boundaries": True}]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return write_elmo(tmp_path_factory.mktemp("files"))


def student(files, pairs=True, **keys):
    register_networks()
    ours, tokenizer = network("elmo"), ByteTokenizer(segmenter="words")
    block = ours.Block(folder=str(files), **{"hidden": 4, "dropout": 0.0, **keys})
    model = new_classifier(ours.build_config(block, tokenizer, pairs=pairs), seed=1)
    ours.fill(model, block, Start(tokenizer, None, None, None, 1))
    return model.eval(), tokenizer


class Rows(list):
    """Rows of texts, as a view has them."""

    def __init__(self, rows, tokenizer):
        super().__init__(rows)
        self.tokenizer = tokenizer

    def batch(self, some):
        texts = [[self[row][side] for row in some] for side in range(len(self[0]))]
        padded = self.tokenizer(*texts, padding=True, return_tensors="pt")
        return {**padded, "index": torch.as_tensor(np.asarray(some))}


def job_of(model, **keys):
    config = RunConfig(teacher_cache=True, num_train_epochs=3, learning_rate=0.1, **keys)
    phases = [Phase("joint", 3)]
    method = SimpleNamespace(student=model, makes_tokens=False, phases=lambda: phases)
    reader = SimpleNamespace(batch=lambda rows, some: rows.batch(some))
    return SimpleNamespace(method=method, reader=reader, config=config)


def stored(model, rows, folder, **keys):
    """The states of some rows on disk, and the name of their folder."""
    job, run = job_of(model, cache_dir=str(folder), **keys), folder / "run"
    run.mkdir(exist_ok=True)
    (run / "student_states.json").unlink(missing_ok=True)
    settle_states(job, {"train": rows}, run)
    (states,) = open_states(job, {"train": rows}, run, Console(quiet=True)).values()
    return states, json.loads((run / "student_states.json").read_text("utf-8"))["cache"]


@pytest.mark.parametrize("pairs", [False, True])
@pytest.mark.parametrize("keys", FORMS)
def test_rows_in_any_order_have_the_features_of_a_network_that_computes(
    files, tmp_path, monkeypatch, pairs, keys
):
    monkeypatch.setattr(frozen_states, "BATCH_ROWS", 2)
    model, tokenizer = student(files, pairs, **keys)
    rows = Rows(PAIRS if pairs else [row[:1] for row in PAIRS], tokenizer)
    states, _ = stored(model, rows, tmp_path)
    generator = np.random.default_rng(reseeded(4))
    needs = Needs(logits=True, vector=True)
    asked = []
    for _ in range(5):
        batch = rows.batch(generator.integers(0, len(rows), generator.integers(1, 7)))
        known, found = states.added(batch), model.read_features(batch, needs)
        hook = model.elmo.bilm.register_forward_hook(lambda *_: asked.append(1))
        read = model.read_features(known, needs)
        hook.remove()
        assert not asked, "the language model is left alone"
        torch.testing.assert_close(read.logits, found.logits, rtol=0, atol=1e-6)
        torch.testing.assert_close(read.vector, found.vector, rtol=0, atol=1e-6)


def test_in_16_bits_the_mix_reads_them_as_they_were_computed(files, tmp_path):
    model, tokenizer = student(files)
    rows = Rows(PAIRS, tokenizer)
    states, _ = stored(model, rows, tmp_path, bf16=True)
    batch = rows.batch(np.arange(len(rows)))
    known = states.added(batch)
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        live, _ = model.elmo._read(batch["input_ids"], model.sides_of(batch))
    read, _ = layers_of(known[STATES], known[PLACES], model.config.projection_size)
    assert {each.dtype for each in (*live, *read)} == {torch.bfloat16}
    for one, other in zip(read, live, strict=True):
        torch.testing.assert_close(one, other)


def test_a_text_is_stored_once_and_its_cache_does_not_hang_on_the_order_of_rows(files, tmp_path):
    model, tokenizer = student(files)
    rows, turned = Rows(PAIRS, tokenizer), Rows(PAIRS[::-1] * 2, tokenizer)
    texts = texts_in(job_of(model), frozen_part(model), {"train": rows})
    assert len(texts.ids) == len({text for row in PAIRS for text in row})
    first, one = stored(model, rows, tmp_path)
    second, other = stored(model, turned, tmp_path)
    assert one == other
    assert np.array_equal(first.of_rows, second.of_rows[len(PAIRS) - 1 :: -1])


def test_other_weights_options_texts_or_precision_are_another_cache(files, tmp_path):
    model, tokenizer = student(files)
    rows = Rows(PAIRS, tokenizer)
    found = [
        stored(model, rows, tmp_path)[1],
        stored(model, Rows(PAIRS[1:], tokenizer), tmp_path)[1],
    ]
    found.append(stored(model, rows, tmp_path, bf16=True)[1])
    model.config.cell_clip += 1
    found.append(stored(model, rows, tmp_path)[1])
    with torch.no_grad():
        model.elmo.bilm.ahead[0].recurrent.weight[0, 0] += 1e-3
    found.append(stored(model, rows, tmp_path)[1])
    assert len(set(found)) == len(found)
    model.classifier.bias.data += 1
    assert stored(model, rows, tmp_path)[1] == found[-1], "what is trained has no part in them"


def test_layers_come_back_bit_for_bit_and_places_are_words_and_boundaries(files):
    model, _ = student(files)
    part = frozen_part(model)
    generator = np.random.default_rng(reseeded(5))
    ids = torch.from_numpy(generator.choice([END_ID, *range(FIRST_ID, FIRST_ID + 9)], (6, 40)))
    own = torch.arange(40) < torch.tensor([0, 1, 5, 20, 39, 40])[:, None]
    with torch.no_grad():
        states = part.states(ids, own)
        layers, mask = model.elmo._read(ids, [own])
    places = torch.tensor(
        [part.places(row[mine].numpy()) for row, mine in zip(ids, own, strict=True)]
    )
    read, known = layers_of(states, places, model.config.projection_size)
    assert torch.equal(known, mask)
    assert all(torch.equal(one, other) for one, other in zip(read, layers, strict=True))
    assert states.shape[-1] == part.width


def test_what_was_decided_stays_and_a_damaged_record_is_decided_anew(files, tmp_path, caplog):
    model, tokenizer = student(files)
    rows, record = {"train": Rows(PAIRS, tokenizer)}, tmp_path / "student_states.json"
    generous, mean = job_of(model), job_of(model, teacher_cache_budget_gb=1e-9)
    assert settle_states(generous, rows, tmp_path) is not None
    before = record.read_bytes()
    assert settle_states(mean, rows, tmp_path) is None and record.read_bytes() == before
    record.write_text('{"stored"', encoding="utf-8")
    assert settle_states(mean, rows, tmp_path) is not None
    assert "decided anew" in caplog.text
    assert not json.loads(record.read_text("utf-8"))["stored"]
    assert open_states(mean, rows, tmp_path, Console(quiet=True)) == {}


def test_what_is_stored_of_the_teacher_counts_in_the_budget(files, tmp_path):
    model, tokenizer = student(files)
    rows = {"train": Rows(PAIRS, tokenizer)}
    text = json.dumps({"phases": {"joint": {"stored": True, "bytes": 2_000_000}}})
    (tmp_path / "teacher_cache.json").write_text(text, encoding="utf-8")
    settle_states(job_of(model, teacher_cache_budget_gb=0.002), rows, tmp_path)
    found = json.loads((tmp_path / "student_states.json").read_text("utf-8"))
    assert not found["stored"] and found["bytes"] == 0
    assert "with 2.0 MB besides are more than teacher_cache_budget_gb, 0.002" in found["text"]


def test_nothing_is_stored_of_a_language_model_that_is_trained(files, tmp_path):
    model, tokenizer = student(files, fine_tune=True)
    rows = Rows(PAIRS, tokenizer)
    assert frozen_part(model) is None and frozen_part(object()) is None
    assert settle_states(job_of(model), {"train": rows}, tmp_path) is None
    assert not list(tmp_path.iterdir())
    batch = rows.batch([0])
    odd = {**batch, STATES: torch.zeros(2, 6, 25)}
    found = [model.read_features(each, Needs(logits=True)).logits for each in (batch, odd)]
    assert torch.equal(*found), "and none is read"


def test_no_dropout_falls_on_what_is_stored(files):
    model, _ = student(files, dropout=0.5)
    module = frozen_part(model).module
    assert not [part for part in module.modules() if isinstance(part, torch.nn.Dropout) and part.p]
    assert model.elmo.dropout.p == 0.5, "it falls on the mixed states"
