"""The demo from end to end on a tiny network and made-up conversations; everything else is real."""

import io
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from rich.console import Console
from tests.draws import reseeded
from transformers import BertConfig, BertModel

import chat_corpus
import demo
import demo_latency
import demo_report
import demo_runs
from chatstill.errors import UserError
from chatstill.report import Measure, ResultRow

TOPICS = "sun moon tea rain music bread chess trains birds paint snow glass".split()
WORDS = [*TOPICS, *"what is do you like about it tell me more the very good".split()]


def write_corpus(folder: Path) -> None:
    """Conversations whose reply repeats the query's two topics: easy to learn."""
    lines = ["conversations:"]
    for first in TOPICS:
        for second in TOPICS:
            lines += [f"- - what about {first} {second}", f"  - the {first} {second} is very good"]
    (folder / "talk.yml").write_text("\n".join(lines) + "\n", encoding="utf-8")


def write_network(folder: Path) -> None:
    """Six tiny layers and a tokenizer, as a pretrained folder."""
    torch.manual_seed(reseeded(0))
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
    (folder / "vocab.txt").write_text("".join(f"{word}\n" for word in words), encoding="utf-8")
    config = BertConfig(
        vocab_size=len(words),
        hidden_size=16,
        num_hidden_layers=6,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=32,
    )
    BertModel(config).save_pretrained(folder)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """Model, data and settings of the demo made small; the folder that the demo is run in."""
    room = tmp_path_factory.mktemp("demo")
    for name in ("corpus", "model"):
        (room / name).mkdir()
    write_corpus(room / "corpus")
    write_network(room / "model")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chat_corpus, "corpus_folder", lambda language: room / "corpus")
        patch.setattr(demo_runs, "model_folder", lambda: room / "model")
        patch.setattr(demo_runs, "MAX_TRAIN_ROWS", 120)
        for settings in (
            demo_runs.TEACHER,
            demo_runs.ALONE,
            demo_runs.TRUNCATED,
            demo_runs.THESEUS,
        ):
            patch.setitem(settings, "num_train_epochs", 2)
        patch.setitem(demo_runs.COMMON, "allow_weak_teacher", True)
        patch.setitem(demo_runs.COMMON, "logging_steps", 1)
        patch.setattr(demo_latency, "BATCHES", {1: 3, 32: 2})
        patch.setattr(demo_report, "RESAMPLES", 50)
        patch.chdir(room)
        yield room


def run() -> str:
    console = Console(width=80, record=True, file=io.StringIO())
    demo.demo(Path("output_demo"), console)
    return console.export_text()


@pytest.fixture(scope="module")
def said(tiny) -> str:
    return run()


def test_the_table_names_four_networks_and_all_figures(said):
    table = said[said.rindex("results") :]
    for text in (
        "teacher",
        "3 layers alone",
        "3 teacher layers",
        "3 layers Theseus",
        "accuracy",
        "MRR",
        "R10@1",
        "ms, batch 1",
    ):
        assert text in table
    assert "ms, batch 32" in table and "100.0 % MRR" in table
    assert f"{torch.get_num_threads()} thread" in " ".join(
        table.split()
    )  # where the line breaks, the device's name decides
    assert len(re.findall(r"\[[01]\.\d{3}, [01]\.\d{3}\]", table)) >= 12
    assert max(map(len, table.splitlines()[:26])) <= 80
    for text in ("output_demo/report.html", "output_demo/theseus/student", demo.EXAMPLE):
        assert text in table


def test_the_page_is_whole(said, tiny):
    page = (tiny / "output_demo" / "report.html").read_text(encoding="utf-8")
    assert page.count("<svg") == 3 and not re.search(r"https?:|<script|url\(", page)
    for text in ("rate reaches 1", "theseus.theseus_scheduler.replacing_rate", "torch", "9 other"):
        assert text in page
    assert (tiny / "output_demo" / "theseus" / "report.html").is_file()


def test_all_students_have_half_the_layers_and_the_same_number_of_steps(said, tiny):
    found = [
        json.loads((tiny / "output_demo" / name / "metrics.json").read_text(encoding="utf-8"))
        for name in ("teacher", "alone", "truncated", "theseus")
    ]
    assert [one["model"]["layers"] for one in found] == [6, 3, 3, 3]
    steps = [one["training"]["phases"][0]["steps"] for one in found]
    assert steps[1] == steps[2] == steps[3]
    assert len({one["model"]["parameters"] for one in found[1:]}) == 1
    assert found[3]["teacher"]["metrics"] == found[0]["dev"]["metrics"]


def test_a_finished_demo_trains_and_measures_nothing_again(said, tiny, monkeypatch):
    from chatstill.run import run as pipeline

    def never(*args, **kwargs):
        raise AssertionError("it was finished")

    for owner, name in ((pipeline, "teach"), (pipeline, "distill"), (chat_corpus, "build")):
        monkeypatch.setattr(owner, name, never)
    monkeypatch.setattr(demo_latency, "measure", never)
    again = run()
    assert again.count("finished before") == 4
    figures = re.compile(r"\d+\.\d{3}")
    assert figures.findall(again) == figures.findall(said[said.rindex("results") :])


def test_other_settings_are_refused_and_name_what_changed(said, tiny, monkeypatch):
    monkeypatch.setitem(demo_runs.TEACHER, "learning_rate", 0.5)
    with pytest.raises(UserError, match=r"learning_rate.*0\.5"):
        run()


def test_networks_trained_anew_are_measured_anew(said, tiny, monkeypatch):
    runs = demo_runs.plan(Path("output_demo"))
    config = demo_runs.load_run(runs[-1]).config
    fresh = {"ms": {}, "length": {}, "device": "d", "threads": 1}
    monkeypatch.setattr(demo_latency, "measure", lambda runs, config: fresh)
    known = demo_latency.latencies(Path("output_demo"), runs, config)
    assert known["ms"]
    monkeypatch.setattr(demo_latency, "_finished", lambda run: "later")
    assert demo_latency.latencies(Path("output_demo"), runs, config)["ms"] == {}
    assert json.loads((tiny / "output_demo" / "latency.json").read_text())["ms"] == {}
    (tiny / "output_demo" / "latency.json").unlink()


def test_the_summary_says_who_won_either_way():
    def row(value: float, parameters: int, ms: float) -> ResultRow:
        return ResultRow("n", parameters, 1.0, {"mrr": Measure(value)}, {"batch 1": ms})

    students = [row(value, 150, 3.0) for value in (0.75, 0.7, 0.6)]
    text = demo_report.summary([row(0.8, 200, 6.0), *students])
    assert "75 % of its parameters" in text and "2.0 times" in text
    assert "keeps 75.0 %" in text and "pretrained ones 93.8 % (0.750)" in text
    assert "fine-tuned keep 87.5 % (0.700)" in text


def test_one_of_several_gpus_is_used(monkeypatch):
    for given, kept in (("2,3", "2"), ("", ""), (None, "0")):
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
        if given is not None:
            monkeypatch.setenv("CUDA_VISIBLE_DEVICES", given)
        demo.one_device()
        assert demo.os.environ["CUDA_VISIBLE_DEVICES"] == kept


def test_a_python_without_the_packages_is_told_what_to_run():
    script = Path(demo.__file__)
    done = subprocess.run([sys.executable, "-S", "-I", script], capture_output=True, text=True)
    assert done.returncode == 1 and "make demo" in done.stderr
    assert "Traceback" not in done.stderr
