"""Texts are changed only when asked for, and then for the student's users too: normalize, preprocess."""

import json
import subprocess
import sys
from types import ModuleType

import numpy as np
import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from chatstill import cli
from chatstill.errors import UserError
from chatstill.run.results import evaluate_folder, predict_file
from chatstill.tasks.predictions import read_predictions
from tests.longer import longer

from . import world

# What AutoTokenizer of plain transformers reads in a process that cannot import this package.
READ = """
import json, sys
sys.modules["chatstill"] = None
from transformers import AutoTokenizer
print(json.dumps(AutoTokenizer.from_pretrained(sys.argv[1])(*json.loads(sys.argv[2]))["input_ids"]))
"""


def full_width(text):
    return "".join(chr(ord(letter) + 0xFEE0) if letter.isalnum() else letter for letter in text)


def rewritten(shared, folder, change):
    """The chat files with every text changed."""
    for path in (shared / "data" / "chat").iterdir():
        rows = [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines()]
        lines = ["\t".join((change(row[0]), change(row[1]), *row[2:])) for row in rows]
        (folder / "chat").mkdir(parents=True, exist_ok=True)
        (folder / "chat" / path.name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def scores_in(folder):
    return read_predictions(folder / "predictions.tsv", ("0", "1")).scores


# -- normalize -------------------------------------------------------------------------------------


def test_full_width_texts_are_read_like_plain_ones(run, shared, finished, tmp_path):
    data = rewritten(shared, tmp_path / "wide", full_width)
    wide = run(normalize="nfkc", data=data)
    np.testing.assert_array_equal(scores_in(wide.folder), scores_in(finished.folder))
    report = json.loads((wide.folder / "data_report.json").read_text(encoding="utf-8"))
    assert report["train"]["unknown"]["tokens"] == 0
    assert report["train"]["kinds"]["full_width_alphanumeric"]["share_of_rows"] == 1.0
    # evaluation without the key follows the kept tokenizer
    student = wide.folder / "student"
    config = wide.loaded.config.model_copy(update={"normalize": None})
    metrics = evaluate_folder(student, config, "dev", None)
    expected = json.loads((finished.folder / "metrics.json").read_text(encoding="utf-8"))
    assert metrics["dev"]["metrics"] == expected["dev"]["metrics"]
    assert "NFKC" in (student / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("kind", longer(["bert", "roberta"]))
def test_plain_transformers_normalises_alike(kind, run, teacher_of, tmp_path):
    student = (
        run(normalize="nfkc", teacher=teacher_of(kind), max_steps=1, num_train_epochs=None).folder
        / "student"
    )
    texts = ["ｓｕｒｅ ｆｉｎｅ", "ｙｅｓ"]
    command = [sys.executable, "-c", READ, str(student), json.dumps(texts)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    own = AutoTokenizer.from_pretrained(teacher_of(kind))
    assert json.loads(done.stdout) == own("sure fine", "yes")["input_ids"]
    assert own(*texts)["input_ids"] != own("sure fine", "yes")["input_ids"]


def test_texts_are_not_normalised_unasked(finished):
    tokenizer = AutoTokenizer.from_pretrained(finished.folder / "student")
    assert tokenizer.tokenize("ｓｕｒｅ") == ["[UNK]"]
    assert "NFKC" not in (finished.folder / "student" / "README.md").read_text(encoding="utf-8")


def test_another_normalisation_is_another_run(run, shared):
    run(max_steps=1, num_train_epochs=None)
    with pytest.raises(UserError, match="normalize"):
        run(max_steps=1, num_train_epochs=None, normalize="nfkc")


# -- preprocess ------------------------------------------------------------------------------------


@pytest.fixture
def opencc(monkeypatch):
    """OpenCC's interface with one entry: it turns any 說 into the word "sure"."""

    class OpenCC:
        def __init__(self, name):
            assert name == "t2s"

        def convert(self, text):
            return text.replace("說", "sure")

    module = ModuleType("opencc")
    module.OpenCC = OpenCC
    monkeypatch.setitem(sys.modules, "opencc", module)


def test_converted_texts_are_those_of_the_simplified_ones(run, shared, finished, opencc, tmp_path):
    data = rewritten(shared, tmp_path / "traditional", lambda text: text.replace("sure", "說"))
    done = run(preprocess="t2s", data=data)
    np.testing.assert_array_equal(scores_in(done.folder), scores_in(finished.folder))
    student = done.folder / "student"
    config = json.loads((student / "config.json").read_text(encoding="utf-8"))
    assert config["chatstill"]["preprocess"] == "t2s"
    card = (student / "README.md").read_text(encoding="utf-8")
    assert "have to be converted" in card
    assert 'OpenCC("t2s").convert' in card
    # scoring follows the kept network's config without being told
    plain = done.loaded.config.model_copy(update={"preprocess": None})
    rows = tmp_path / "rows.tsv"
    rows.write_text("where is\t說\nwhere is\tsure\n", encoding="utf-8")
    target, _ = predict_file(student, rows, plain, None)
    first, second = read_predictions(target, ("0", "1")).scores.tolist()
    assert first == second


def test_a_student_trained_without_it_says_nothing_of_it(run, copy_of):
    teacher = copy_of(chatstill={"preprocess": "t2s"})
    done = run(teacher=teacher, max_steps=1, num_train_epochs=None)
    assert 'the teacher was trained with "t2s"' in done.text
    config = json.loads((done.folder / "student" / "config.json").read_text(encoding="utf-8"))
    assert "preprocess" not in config.get("chatstill", {})


def test_a_network_that_a_run_goes_on_from_says_it_too(run, copy_of, opencc):
    known = copy_of(chatstill={"preprocess": "t2s"})
    student = {"student_architectures": {"model_name_or_path": str(known)}}
    kd = {"model_type": "KD", "theseus_scheduler": None, **student}
    said = run("check", **kd).text
    assert 'the network that this run starts from was trained with "t2s"' in said
    assert said.count("was trained with") == 1
    short = {
        "model_type": None,
        "theseus_scheduler": None,
        "num_train_epochs": None,
        "max_steps": 1,
    }
    for given, times in ((None, 1), ("t2s", 0)):
        said = run("teach", name=f"out{times}", teacher=known, preprocess=given, **short).text
        assert said.count("was trained with") == times


def test_conversion_of_a_network_that_was_trained_without(run, shared, copy_of, opencc, capsys):
    known = copy_of(chatstill={"temperature": 1.5})
    words = ["evaluate", str(known), "--task-name", "chat", "--data-dir", str(shared / "data")]
    assert cli.main([*words, "--set", "preprocess=t2s"]) == 0
    assert 'preprocess: is "t2s", the network was trained without' in capsys.readouterr().out
    said = run("check", teacher=known, preprocess="t2s").text
    assert 'is "t2s", the teacher was trained without' in said
    said = run("check", preprocess="t2s", name="other").text
    assert "was trained without" not in said, "nothing is known of a network of another make"


def test_without_opencc_the_way_to_it_is_said(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "opencc", None)
    with pytest.raises(UserError) as caught:
        run(preprocess="t2s")
    assert "chatstill[opencc]" in caught.value.problems[0].hint


def test_opencc_itself():
    pytest.importorskip("opencc")
    from chatstill.text.preprocess import preprocess_version, preprocessor

    assert preprocessor("t2s")("說話的電腦") == "说话的电脑"
    assert preprocessor("tw2sp")("軟體") == "软件"
    assert preprocess_version("t2s").startswith("t2s-opencc-")
    with pytest.raises(UserError, match="no conversion 't2x'"):
        preprocessor("t2x")


# -- the card --------------------------------------------------------------------------------------


def test_the_card_has_the_figures_and_code_that_runs(finished):
    student = finished.folder / "student"
    card = (student / "README.md").read_text(encoding="utf-8")
    metrics = json.loads((finished.folder / "metrics.json").read_text(encoding="utf-8"))
    assert (
        f"| MRR | {metrics['dev']['metrics']['mrr']:.4f} | {metrics['teacher']['metrics']['mrr']:.4f} |"
        in card
    )
    assert "theseus-bert" in card
    assert "teacher-bert" in card
    code = card.split("```python\n")[1].split("```")[0].replace("path/to/this/folder", str(student))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.startswith("tensor([[")


def test_without_evaluation_the_card_has_no_figures(run):
    student = run(do_eval=False, max_steps=1, num_train_epochs=None).folder / "student"
    card = (student / "README.md").read_text(encoding="utf-8")
    assert "It was not scored" in card
    assert AutoModelForSequenceClassification.from_pretrained(student).dtype == torch.float32
    assert world.GOOD[0] in AutoTokenizer.from_pretrained(student).get_vocab()


# -- calibration and noise -------------------------------------------------------------------------


def test_temperature_and_threshold_stand_in_the_kept_config(finished):
    metrics = json.loads((finished.folder / "metrics.json").read_text(encoding="utf-8"))
    model = AutoModelForSequenceClassification.from_pretrained(finished.folder / "student")
    assert model.config.chatstill["temperature"] == metrics["calibration"]["temperature"]
    assert model.config.chatstill.get("threshold") == metrics["threshold"]["probability"]
    card = (finished.folder / "student" / "README.md").read_text(encoding="utf-8")
    assert 'model.config.chatstill["temperature"]' in card
    before, after = (metrics["calibration"][name] for name in ("ece", "ece_scaled"))
    assert f"calibration error {before:.4f} without it, {after:.4f} with it" in card
    lines = (finished.folder / "eval_results.txt").read_text(encoding="utf-8")
    assert "calibration error = " in lines


def test_disagreements_of_both_splits(run, shared, copy_of, tmp_path):
    data = rewritten(shared, tmp_path / "noisy", str)
    train = data / "chat" / "train.data.txt"
    lines = train.read_text(encoding="utf-8").splitlines()
    wrong = next(n for n, line in enumerate(lines) if line.endswith("\t1"))
    lines[wrong] = lines[wrong][:-1] + "0"
    train.write_text("\n".join(lines) + "\n", encoding="utf-8")
    done = run(data=data, label_noise=["train"], max_steps=1, num_train_epochs=None)
    text = (done.folder / "label_noise.tsv").read_text(encoding="utf-8").splitlines()
    found = [line.split("\t") for line in text[1:]]
    query, reply, _ = lines[wrong].split("\t")
    (row,) = [row for row in found if row[1] == str(wrong + 1)]
    assert row[:4] == ["train", str(wrong + 1), "0", "1"]
    assert row[5:] == [query, reply]
    assert {row[0] for row in found} == {"train"}
    probabilities = [float(row[4]) for row in found]
    assert probabilities == sorted(probabilities)
    assert probabilities[-1] <= 0.5
    page = (done.folder / "report.html").read_text(encoding="utf-8")
    assert "disagree most" in page
    assert found[0][6] in page
    none = run(name="none", label_noise=[], max_steps=1, num_train_epochs=None)
    assert not (none.folder / "label_noise.tsv").exists()
