"""MNLI from end to end: both dev sets in one run, and AX with the network that came out."""

import json

import numpy as np
import pytest

from chatstill import cli
from chatstill.tasks import get_task
from chatstill.tasks.predictions import read_predictions
from tests.draws import reseeded

from . import by_hand, world
from .test_submission import MNLI

WORDS = ("contradiction", "entailment", "neutral")
SIGNS = (world.BAD, world.GOOD, ("ask", "sing"))


def pairs(count, seed):
    """The second text holds words of its class."""
    generator = np.random.default_rng(reseeded(seed))
    labels = generator.integers(0, 3, count).tolist()
    return [
        (world.sentence(generator), " ".join(generator.choice(SIGNS[label], 3)), label)
        for label in labels
    ]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """MNLI's files, AX with labels, and a finished run of Theseus."""
    folder = tmp_path_factory.mktemp("mnli")
    (folder / "data" / "MNLI").mkdir(parents=True)
    (folder / "data" / "AX").mkdir()
    files = {"train": (60, 1), "dev_matched": (40, 5), "dev_mismatched": (25, 5)}
    for seed, (name, (count, judges)) in enumerate(files.items()):
        names = [f"label{n}" for n in range(1, judges + 1)]
        lines = ["\t".join([*MNLI, *names, "gold_label"])]
        for number, (one, two, label) in enumerate(pairs(count, seed)):
            if (name, number) == ("dev_mismatched", 4):
                label = (label + 1) % 3  # a wrong one
            head = [str(number), "1", "1n", "fiction", *"pppp"]
            lines.append("\t".join([*head, one, two, *[WORDS[label]] * (judges + 1)]))
        text = "\n".join(lines) + "\n"
        (folder / "data" / "MNLI" / f"{name}.tsv").write_text(text, encoding="utf-8")
    lines = ["index\tsentence1\tsentence2\tlabel"]
    for number, (one, two, label) in enumerate(pairs(30, 9)):
        lines.append(f"{number}\t{one}\t{two}\t{WORDS[label]}")
    text = "\n".join(lines) + "\n"
    (folder / "data" / "AX" / "diagnostic-full.tsv").write_text(text, encoding="utf-8")
    teacher = world.build_network(folder / "teacher", layers=2, outputs=3)
    # The network's own order: neutral, contradiction, entailment.
    by_hand.make_right(teacher, (SIGNS[2], SIGNS[0], SIGNS[1]))
    config = json.loads((teacher / "config.json").read_text(encoding="utf-8"))
    config["id2label"] = {str((n + 1) % 3): word for n, word in enumerate(WORDS)}
    (teacher / "config.json").write_text(json.dumps(config), encoding="utf-8")
    values = world.values_for(
        folder / "data", folder / "run", teacher, task_name="MNLI", num_train_epochs=6
    )
    (folder / "my.json").write_text(json.dumps(values), encoding="utf-8")
    assert cli.main(["distill", str(folder / "my.json")]) == 0
    return folder


def test_both_sections_are_scored_and_the_main_metric_is_their_mean(made):
    metrics = json.loads((made / "run" / "metrics.json").read_text(encoding="utf-8"))
    for network in ("dev", "teacher"):
        own = metrics[network]
        found = own["metrics"]
        assert own["rows"] == 65 and own["main"] == "acc"
        assert own["value"] == pytest.approx((found["mnli/acc"] + found["mnli-mm/acc"]) / 2)
    assert metrics["teacher"]["value"] > 0.9, "its columns are matched by name"
    written = read_predictions(made / "run" / "predictions.tsv", WORDS)
    assert written.groups == ["matched"] * 40 + ["mismatched"] * 25
    again = get_task("mnli").metrics(written.scores, written.labels, np.array(written.groups))
    assert again == pytest.approx(metrics["dev"]["metrics"])


def test_a_wrong_label_is_found_in_its_file(made):
    noise = (made / "run" / "label_noise.tsv").read_text(encoding="utf-8").splitlines()
    split, line, name, _, _, _, text, _ = noise[1].split("\t")
    assert (split, line) == ("dev mismatched", "6")
    file = (made / "data" / "MNLI" / "dev_mismatched.tsv").read_text(encoding="utf-8")
    assert text in file.splitlines()[5] and file.splitlines()[5].split("\t")[0] == name


def test_predictions_have_the_index_of_each_section(made):
    lines = (made / "run" / "predictions.tsv").read_text(encoding="utf-8").splitlines()
    assert lines[0].split("\t")[:3] == ["index", "id", "group"]
    found = [tuple(line.split("\t")[1:3]) for line in lines[1:]]
    for section, count in (("matched", 40), ("mismatched", 25)):
        file = (made / "data" / "MNLI" / f"dev_{section}.tsv").read_text(encoding="utf-8")
        names = [line.split("\t")[0] for line in file.splitlines()[1:]]
        assert [name for name, of in found if of == section] == names and len(names) == count


def test_the_plan_names_both_files(made, capsys):
    path = made / "my.json"
    assert cli.main(["check", str(path), "--set", f"output_dir={made / 'other'}"]) == 0
    out = capsys.readouterr().out
    assert "65 rows of " in out and "dev_matched.tsv and " in out and "dev_mismatched.tsv" in out


def test_ax_is_scored_with_the_network_of_mnli(made, tmp_path, capsys):
    arguments = ["evaluate", str(made / "teacher"), "--task-name", "ax"]
    arguments += ["--data-dir", str(made / "data"), "--output", str(tmp_path)]
    assert cli.main(arguments) == 0
    metrics = json.loads((tmp_path / "metrics.json").read_text(encoding="utf-8"))
    assert metrics["task"] == "ax" and metrics["dev"]["metrics"]["mcc"] > 0.8
