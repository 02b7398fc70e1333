"""Dialogues as they are stored, through every verb: init, check, distill, evaluate, predict."""

import json

import numpy as np
import pytest

from chatstill import cli
from chatstill.tasks.predictions import read_predictions
from tests.draws import reseeded

from . import world


def talk(generator):
    """A system message, and one to five messages of which the last is the user's."""
    messages = [{"role": "system", "content": "be brief"}]
    for _ in range(int(generator.integers(0, 3))):
        messages.append({"role": "user", "content": world.sentence(generator)})
        messages.append({"role": "assistant", "content": world.sentence(generator)})
    return [*messages, {"role": "user", "content": world.sentence(generator)}]


def lines(count, seed, kind):
    """Dialogues of three candidates; the one with a good word is right."""
    generator = np.random.default_rng(reseeded(seed))
    for number in range(count):
        right = int(generator.integers(3))
        texts = [
            world.sentence(generator, good=int(place == right), bad=int(place != right))
            for place in range(3)
        ]
        found = {"id": f"t{number}", "messages": talk(generator)}
        if kind == "labels":
            made = [{"content": t, "label": int(n == right)} for n, t in enumerate(texts)]
            yield found | {"candidates": made}
        elif kind == "chosen":
            yield found | {"candidates": texts, "chosen": right if number % 2 else texts[right]}
        else:
            wrong = [text for text in texts if text != texts[right]]
            yield found | {"chosen": texts[right], "rejected": wrong}


def write(path, rows):
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


@pytest.mark.parametrize("kind", ["labels", "chosen", "preferences"])
def test_from_the_files_to_the_figures(kind, teacher_of, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for seed, (split, count) in enumerate((("train", 16), ("dev", 20), ("test", 4))):
        write(tmp_path / "talks" / f"{split}.jsonl", lines(count, seed, kind))
    assert cli.main(["init", "talks", str(teacher_of()), "--output", "my.jsonc"]) == 0
    assert "a dialogue in each line" in capsys.readouterr().out
    sets = ["max_steps=4", "per_gpu_train_batch_size=8", "output_dir=out"]
    sets = [word for one in sets for word in ("--set", one)]
    assert cli.main(["distill", "my.jsonc", *sets]) == 0
    said = capsys.readouterr().out
    assert "not read: system (16)" in said
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text(encoding="utf-8"))["dev"]
    assert (metrics["main"], metrics["rows"]) == ("mrr", 60)
    assert metrics["metrics"]["groups"] == 20 and metrics["metrics"]["random_mrr"] < 0.7
    assert metrics["positive"] == ("1" if kind == "labels" else "match")
    words = ("0", "1") if kind == "labels" else ("no_match", "match")
    found = read_predictions(tmp_path / "out" / "predictions.tsv", words)
    assert found.groups == [f"d{number // 3}" for number in range(60)]
    assert found.labels.sum() == 20
    assert cli.main(["evaluate", "out", "--split", "test"]) == 0
    assert "rows = 12" in capsys.readouterr().out


def test_lines_without_a_choice_are_predicted_and_learned_from(teacher_of, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for seed, (split, count) in enumerate((("train", 8), ("dev", 8), ("more", 6))):
        rows = [dict(row) for row in lines(count, seed, "chosen")]
        for row in rows if split == "more" else ():
            del row["chosen"]
        write(tmp_path / f"{split}.jsonl", rows)
    values = world.values_for(tmp_path, tmp_path / "out", teacher_of(), max_steps=2)
    for key in ("task_name", "data_dir", "theseus_scheduler"):
        del values[key]
    values |= {
        "model_type": "KD",
        "distillation": {"terms": {"soft": {"temperature": 2, "weight": 1}}},
    }
    values["student_architectures"] = {"num_hidden_layers": 2}
    files = {"train": "train.jsonl", "dev": "dev.jsonl", "unlabeled": "more.jsonl"}
    values["data"] = {**files, "text": "messages", "candidates": "candidates", "chosen": "chosen"}
    (tmp_path / "my.json").write_text(json.dumps(values), encoding="utf-8")
    assert cli.main(["distill", "my.json"]) == 0
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text(encoding="utf-8"))
    assert metrics["training"]["rows"] == 3 * (8 + 6)
    assert cli.main(["predict", "out", "more.jsonl"]) == 0
    found = read_predictions(tmp_path / "more.jsonl.predictions.tsv", ("no_match", "match"))
    assert len(found.scores) == 18 and np.isnan(found.labels).all()
    assert found.groups == [f"d{number // 3}" for number in range(18)]
