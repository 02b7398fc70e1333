"""Training the word embeddings that occur is training the whole table, at less cost."""

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn
from transformers import TrainingArguments

from chatstill.models.word_rows import cut_to_rows
from chatstill.train.arguments import takes_rows, training_arguments
from chatstill.train.phases import run_phases
from chatstill.train.stage import StageModule
from chatstill.train.trainer import DistillationTrainer
from tests.longer import longer

from .conftest import (
    DyingSteps,
    Killed,
    ToySteps,
    assert_same_weights,
    build_engine,
    build_method,
    tiny_bert,
    weights,
)

WORDS = "bert.embeddings.word_embeddings.weight"
TOP = 20  # of 40 word pieces, those below occur
METHODS = [
    ("finetune", {}),
    ("theseus", {"replacing_rate": 0.3, "train": "all"}),
    ("theseus", {"replacing_rate": 0.3, "successor_num_train_epochs": 1}),
    ("matches", {}),
]


def steps(accumulation=1):
    return ToySteps(top=TOP, accumulation=accumulation)


def tokens():
    return np.union1d(steps().ids, 0)  # 0 pads


def train(folder, method, *, rows, accumulation=1, decay=0.0, each=steps, **settings):
    engine = build_engine(folder, each(accumulation), args={"weight_decay": decay}, **settings)
    if rows:
        engine.tokens = {"train": tokens()}
    run_phases(method, engine)
    return engine


@pytest.fixture(params=METHODS, ids=lambda p: f"{p[0]}-{len(p[1])}")
def method_of(request):
    name, knobs = request.param
    return lambda: build_method(name, **knobs)


@pytest.mark.parametrize("accumulation", longer([2, 1]))
def test_equals_the_whole_table(tmp_path, method_of, accumulation):
    whole, cut = method_of(), method_of()
    before = weights(cut.student)[WORDS]
    train(tmp_path / "a", whole, rows=False, accumulation=accumulation)
    train(tmp_path / "b", cut, rows=True, accumulation=accumulation)
    left, right = weights(whole.kept()), weights(cut.kept())
    for name in left:
        torch.testing.assert_close(left[name], right[name], rtol=1e-4, atol=1e-6, msg=name)
    moved = [(table[WORDS] != before).any(-1) for table in (left, right)]
    assert torch.equal(*moved)
    saved = sorted((tmp_path / "a/checkpoints").rglob("trained.safetensors"))
    assert saved
    for path in saved:
        other = tmp_path / "b" / path.relative_to(tmp_path / "a")
        shapes = [{n: t.shape for n, t in load_file(file).items()} for file in (path, other)]
        assert shapes[0] == shapes[1]


def test_all_that_occur_are_trained_and_no_others(tmp_path, caplog):
    caplog.set_level("INFO")
    method = build_method("finetune")
    before = weights(method.student)[WORDS]
    train(tmp_path, method, rows=True)
    line = f"word embeddings: {len(tokens())} of 40 occur in the rows and are trained"
    assert line in caplog.messages
    moved = (weights(method.student)[WORDS] != before).any(-1).nonzero().flatten()
    assert set(moved.tolist()) == set(steps().ids.flatten().tolist())  # padding has no gradient


def test_decay_does_not_reach_rows_that_never_occur(tmp_path):
    method = build_method("finetune")
    before = weights(method.student)[WORDS]
    train(tmp_path, method, rows=True, decay=0.1)
    after = weights(method.student)[WORDS]
    assert torch.equal(before[TOP:], after[TOP:])
    assert not torch.isclose(before[5:TOP], after[5:TOP]).any(-1).all()


def test_a_killed_run_goes_on_to_the_same_weights(tmp_path, method_of):
    unbroken, again = method_of(), method_of()
    train(tmp_path / "a", unbroken, rows=True)
    with pytest.raises(Killed):
        train(tmp_path / "b", method_of(), rows=True, each=lambda n: DyingSteps(5, top=TOP))
    train(tmp_path / "b", again, rows=True)
    assert_same_weights(weights(unbroken.kept()), weights(again.kept()))


@pytest.mark.parametrize("first", longer([True, False]))
def test_a_killed_run_goes_on_where_the_table_is_held_otherwise(tmp_path, method_of, first):
    unbroken, again = method_of(), method_of()
    train(tmp_path / "a", unbroken, rows=first)
    with pytest.raises(Killed):
        train(tmp_path / "b", method_of(), rows=first, each=lambda n: DyingSteps(5, top=TOP))
    train(tmp_path / "b", again, rows=not first)
    left, right = weights(unbroken.kept()), weights(again.kept())
    for name in left:
        torch.testing.assert_close(left[name], right[name], rtol=1e-4, atol=1e-6, msg=name)


def test_every_evaluation_and_the_best_weights_see_the_rows_as_trained(tmp_path):
    seen = {}
    for rows in (False, True):
        method, tables = build_method("finetune"), []

        def evaluate(method=method, tables=tables):
            tables.append(weights(method.kept())[WORDS])
            return float(3 - abs(len(tables) - 3)), {}

        train(tmp_path / str(rows), method, rows=rows, evaluate=evaluate, eval_steps=2, keep="best")
        seen[rows] = tables
        torch.testing.assert_close(weights(method.kept())[WORDS], tables[2], rtol=0, atol=0)
    assert len(seen[True]) == 6
    for left, right in zip(*seen.values(), strict=True):
        torch.testing.assert_close(left, right, rtol=1e-4, atol=1e-6)


def test_the_optimizer_holds_only_rows_that_occur(tmp_path):
    method = build_method("finetune")
    engine = build_engine(tmp_path, steps())
    engine.tokens = {"train": tokens()}
    arguments = training_arguments(engine.config, method.phases()[0], tmp_path, 2)
    trainer = DistillationTrainer(method, 0, arguments, engine)
    trainer.create_optimizer()
    held = [p.shape for group in trainer.optimizer.param_groups for p in group["params"]]
    assert (len(tokens()), 16) in held
    assert (40, 16) not in held


def test_a_token_that_is_in_no_row_is_an_error_that_says_what_to_do():
    method = build_method("finetune")
    phase = method.phases()[0]
    batch = ToySteps(top=40).rows(np.arange(4))
    stage = StageModule(method, phase, tokens=tokens())
    with pytest.raises(ValueError, match=r"token \d+ is in no row .* `makes_tokens = True`"):
        stage.trained(batch["input_ids"], batch["attention_mask"])


def test_a_method_that_makes_tokens_trains_the_whole_table():
    class Masking(type(build_method("finetune"))):
        makes_tokens = True

    plain = build_method("finetune")
    method = Masking(plain.config, plain.student, None, objective="cross_entropy", run=plain.run)
    stage = StageModule(method, method.phases()[0], tokens=tokens())
    assert (
        stage.trained.get_input_embeddings().weight is method.student.get_input_embeddings().weight
    )


def cut(change=lambda model: None, which=None):
    model = tiny_bert(1)
    change(model)
    return cut_to_rows(model, model, tokens() if which is None else which)


def test_whole_where_nearly_all_rows_occur():
    assert cut(which=np.arange(30)) is not None
    assert cut(which=np.arange(31)) is None


def test_whole_where_the_table_is_not_trained():
    assert cut() is not None
    assert cut(lambda model: model.get_input_embeddings().requires_grad_(False)) is None


def test_whole_where_it_is_tied_to_another_layer():
    def tie(model):
        model.decoder = nn.Linear(16, 40, bias=False)
        model.decoder.weight = model.get_input_embeddings().weight

    assert cut(tie) is None


def test_whole_where_the_embedding_does_more_than_look_up():
    class Scaled(nn.Embedding):
        pass

    for other in (Scaled(40, 16), nn.Embedding(40, 16, max_norm=1)):
        assert cut(lambda model, other=other: model.set_input_embeddings(other)) is None


def test_whole_where_a_network_shows_no_table():
    model = nn.Linear(2, 2)
    assert cut_to_rows(model, model, tokens()) is None


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, True),
        ({"optim": "adamw_torch"}, True),
        ({"optim": "adafactor"}, False),
        ({"optim": "sgd"}, True),
        ({"optim": "lion_32bit"}, False),
    ],
)
def test_only_optimizers_that_treat_each_number_by_itself(tmp_path, values, expected):
    args = TrainingArguments(output_dir=str(tmp_path), use_cpu=True, **values)
    assert takes_rows(args) is expected


def test_not_under_fsdp(tmp_path, monkeypatch):
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")
    args = TrainingArguments.__new__(TrainingArguments)
    args.__dict__.update(fsdp=[], deepspeed=None, optim="adamw_torch", use_cpu=True)
    args.__dict__["device"] = torch.device("cpu")
    monkeypatch.setattr(TrainingArguments, "device", property(lambda self: torch.device("cpu")))
    assert takes_rows(args) is False
    monkeypatch.delenv("ACCELERATE_USE_FSDP")
    assert takes_rows(args) is True
