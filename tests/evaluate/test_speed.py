"""Speed and size by structure; no test looks at a clock."""

import pytest
import torch
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    DistilBertConfig,
    DistilBertForSequenceClassification,
)

from chatstill.evaluate import speed


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def bert(layers=1):
    config = BertConfig(
        hidden_size=8,
        intermediate_size=16,
        num_hidden_layers=layers,
        num_attention_heads=2,
        vocab_size=30,
        max_position_embeddings=20,
    )
    return BertForSequenceClassification(config)


def batch(rows=3, length=7):
    ids = torch.ones(rows, length, dtype=torch.long)
    return {
        "input_ids": ids,
        "attention_mask": ids,
        "token_type_ids": ids * 0,
        "labels": torch.zeros(rows, dtype=torch.long),
        "index": torch.arange(rows),
    }


def test_models_are_timed_in_turns_and_all_equally_often():
    calls = []
    models = {"teacher": bert(2), "student": bert(1), "other": bert(1)}
    for name, model in models.items():
        model.register_forward_pre_hook(lambda module, args, name=name: calls.append(name))
    result = speed.measure_models(models, [batch()], repeats=6, warmup=3)
    assert list(result) == list(models)
    rounds = [calls[i : i + 3] for i in range(0, len(calls), 3)]
    assert len(rounds) == 9 and all(set(turn) == set(models) for turn in rounds)
    assert {turn[0] for turn in rounds[3:]} == set(models)  # nobody is always first


def test_figures_describe_the_measurement():
    model = bert().train()
    model.classifier.eval()
    result = speed.measure_latency(model, [batch(4, 9), batch(4, 11)], repeats=5, threads=1)
    assert 0 < result.median_ms <= result.p90_ms
    assert (result.batch, result.length, result.threads) == (4, 10, 1)
    assert result.device == speed.device_name()
    assert model.training and not model.classifier.training


def test_the_forward_pass_is_in_eval_mode_without_gradients_and_with_the_threads_asked_for():
    seen = []
    model = bert().train()
    model.register_forward_hook(
        lambda module, args, output: seen.append(
            (module.training, output.logits.requires_grad, torch.get_num_threads())
        )
    )
    before = torch.get_num_threads()
    speed.measure_latency(model, [batch()], repeats=1, warmup=0, threads=2)
    assert seen == [(False, False, 2)] and torch.get_num_threads() == before


@pytest.mark.parametrize(
    ("kind", "read"),
    [
        ("bert", {"input_ids", "attention_mask", "token_type_ids"}),
        ("distilbert", {"input_ids", "attention_mask"}),
    ],
)
def test_a_model_gets_what_it_reads_and_neither_labels_nor_row_numbers(kind, read):
    config = DistilBertConfig(dim=8, hidden_dim=8, n_layers=1, n_heads=2, vocab_size=30)
    model = bert() if kind == "bert" else DistilBertForSequenceClassification(config)
    given = []
    model.register_forward_pre_hook(
        lambda module, args, inputs: given.append({*inputs}), with_kwargs=True
    )
    speed.measure_latency(model, [batch()], repeats=1, warmup=0)
    assert given == [read]


def test_each_model_may_have_batches_of_its_own():
    models = {"a": bert(), "b": bert()}
    result = speed.measure_models(models, {"a": [batch(1)], "b": [batch(2)]}, repeats=1)
    assert (result["a"].batch, result["b"].batch) == (1, 2)
    with pytest.raises(ValueError, match="'b'"):
        speed.measure_models(models, {"a": [batch()], "b": []})


def test_measuring_draws_no_random_number():
    model = bert()
    before = torch.get_rng_state()
    speed.measure_latency(model, [batch()], repeats=2)
    assert torch.equal(before, torch.get_rng_state())


def test_parameters_with_and_without_tables():
    model = bert()
    count = speed.count_parameters(model)
    assert count.total == sum(p.numel() for p in model.parameters())
    assert count.total - count.without_embeddings == (30 + 20 + 2) * 8


def test_tied_parameters_count_once():
    table = torch.nn.Embedding(5, 4)
    head = torch.nn.Linear(4, 5, bias=False)
    head.weight = table.weight
    count = speed.count_parameters(torch.nn.Sequential(table, head))
    assert (count.total, count.without_embeddings) == (20, 0)


def test_size_is_that_of_the_saved_weights(tmp_path):
    model = bert()
    model.save_pretrained(tmp_path)
    size = speed.size_megabytes(tmp_path)
    assert size == (tmp_path / "model.safetensors").stat().st_size / 1e6
    assert size * 1e6 >= 4 * speed.count_parameters(model).total
    with pytest.raises(FileNotFoundError):
        speed.size_megabytes(tmp_path / "nothing")
