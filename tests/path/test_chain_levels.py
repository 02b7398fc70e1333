"""Chains whose links differ in task, data and level: a corpus, a teacher fine-tuned from it, its student."""

import json
import os
import signal

import pytest
import torch

from chatstill import cli
from chatstill.config import load_chain
from chatstill.models.save import kept_folder
from chatstill.run import chain as chains
from tests.found import codes, refused

from . import world
from .children import fork, wait
from .test_masked_lm import corpus, network

LINKS = ("texts", "teacher", "student")


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    return network(tmp_path_factory.mktemp("start"))


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = world.write_chat(tmp_path_factory.mktemp("data"))
    (folder / "corpus").mkdir()
    (folder / "corpus" / "train.txt").write_text(corpus(60), encoding="utf-8")
    return folder


class Chained:
    """``texts`` → ``teacher`` → ``student``, six steps each."""

    def __init__(self, folder, data, start):
        self.folder, self.output = folder, folder / "out"
        values = world.values_for(data, self.output, start, num_train_epochs=None, max_steps=6)
        del values["teacher_architectures"], values["model_type"], values["theseus_scheduler"]
        values["save_steps"] = 2
        values["pipeline"] = [
            {
                "name": "texts",
                "model_type": "MaskedLM",
                "task_name": "corpus",
                "pretrained_architectures": {"model_name_or_path": str(start)},
            },
            {
                "name": "teacher",
                "verb": "teach",
                "teacher_architectures": {"model_name_or_path": "link:texts"},
                "learning_rate": 1e-9,
            },
            {
                "name": "student",
                "model_type": "KD",
                "teacher_architectures": {"model_name_or_path": "link:teacher"},
                "student_architectures": {"num_hidden_layers": 1},
                "allow_weak_teacher": True,
            },
        ]
        self.values = values

    @property
    def path(self):
        path = self.folder / "chain.json"
        path.write_text(json.dumps(self.values), encoding="utf-8")
        return path

    def load(self):
        return load_chain(self.path, [], verb="distill")

    def told(self, name="", file="metrics.json"):
        return json.loads((self.output / name / file).read_text(encoding="utf-8"))


@pytest.fixture
def chained(tmp_path, data, start):
    return Chained(tmp_path, data, start)


@pytest.fixture(scope="module")
def whole(tmp_path_factory, data, start):
    """An unbroken chain, and what it printed."""
    made = Chained(tmp_path_factory.mktemp("whole"), data, start)
    where = world.console()
    chains.distill_chain(made.load(), console=where)
    made.said = world.said(where)
    return made


def test_each_link_goes_on_from_the_network_of_the_one_before(whole):
    texts, teacher = (
        world.weights_of(whole.output / folder) for folder in ("texts/student", "teacher/teacher")
    )
    name = "bert.embeddings.word_embeddings.weight"
    torch.testing.assert_close(texts[name], teacher[name], rtol=0, atol=1e-6)
    assert "cls.predictions.bias" in texts and "classifier.weight" in teacher
    assert whole.told("student")["teacher"]["value"] == pytest.approx(
        whole.told("teacher")["dev"]["value"]
    )
    assert whole.told("teacher")["model"]["layers"] == 2
    assert kept_folder(whole.output) == whole.output / "student" / "student"
    assert cli.main(["evaluate", str(whole.output)]) == 0


def test_the_summary_shows_each_link_by_its_own_figure(whole):
    metrics = whole.told()
    shown = [(x["name"], x["task"], x["main"], x["lower_is_better"]) for x in metrics["links"]]
    assert shown == [
        ("texts", "corpus", "loss", True),
        ("teacher", "chat", "mrr", False),
        ("student", "chat", "mrr", False),
    ]
    assert metrics["task"] == "chat"
    texts = metrics["links"][0]
    assert texts["teacher_value"] is None and texts["ratio"] is None
    page = (whole.output / "report.html").read_text(encoding="utf-8")
    text = (whole.output / "eval_results.txt").read_text(encoding="utf-8")
    assert "MaskedLM → finetune → KD on corpus → chat" in page
    assert "texts on dev" in page, "its curve stands among the losses, not among the MRRs"
    for shown in (page, text, whole.said):
        assert "texts (2 layers)" in shown and "student (1 layer)" in shown
    rows = {line.split("|")[1].strip(): line for line in text.splitlines() if "|" in line}
    assert "100.0 % MRR" in rows["teacher (2 layers)"], "what the student is held against"
    assert "%" not in rows["texts (2 layers)"], "a loss is no share of a metric"


def test_the_plan_of_every_link_is_made_before_anything_starts(chained):
    where = world.console()
    chains.check_chain(chained.load(), console=where)
    said = world.said(where)
    assert "link 1 of 3: texts" in said and "link 3 of 3: student (after teacher)" in said
    assert said.count("an untrained network stood in") == 2
    assert "phase: masked-lm" in said and "phase: fine-tuning" in said
    assert not chained.output.exists()


def test_a_fault_of_a_later_level_is_found_before_the_corpus_is_learnt(chained):
    chained.values["pipeline"][2]["student_architectures"] = {"num_hidden_layers": 3}
    with refused("student.deeper-than-its-start"):
        chains.distill_chain(chained.load(), console=world.console())
    assert not chained.output.exists()


def test_a_network_without_a_classifier_teaches_no_task(chained):
    del chained.values["pipeline"][1]
    chained.values["pipeline"][1]["teacher_architectures"]["model_name_or_path"] = "link:texts"
    with refused("weights.no-classifier", str(chained.output / "texts" / "student")):
        chains.distill_chain(chained.load(), console=world.console())


def test_a_chain_killed_in_every_link_ends_as_an_unbroken_one(chained, whole):
    path, output = str(chained.path), chained.folder / "said.txt"

    def killed_in(link):
        from chatstill.train.flow import FlowCallback

        original = FlowCallback.on_step_end

        def with_signal(self, args, state, control, **kwargs):
            if state.global_step == 3 and link in args.output_dir.split(os.sep):
                os.kill(os.getpid(), signal.SIGKILL)
            return original(self, args, state, control, **kwargs)

        FlowCallback.on_step_end = with_signal
        return cli.main(["distill", path])

    for link in LINKS:
        assert wait(fork(lambda link=link: killed_in(link), output)) == -signal.SIGKILL, (
            output.read_text(encoding="utf-8")[-3000:]
        )
        assert not (chained.output / "metrics.json").exists()
    assert wait(fork(lambda: cli.main(["distill", path]), output)) == 0
    said = output.read_text(encoding="utf-8")
    assert said.count("goes on after step 2") == 3, "each link goes on from its checkpoint"
    for folder in ("texts/student", "teacher/teacher", "student/student"):
        one, other = (world.weights_of(made.output / folder) for made in (chained, whole))
        assert one.keys() == other.keys()
        assert all(torch.equal(one[name], other[name]) for name in one), folder
    for link in LINKS:
        assert chained.told(link)["dev"] == whole.told(link)["dev"]


# -- which keys a link can override ----------------------------------------------------------------


def test_null_takes_a_key_of_the_file_out(chained, tmp_path):
    """A file that describes its rows, and a link on a corpus that has none."""
    rows = tmp_path / "rows.tsv"
    rows.write_text("q\tr\tl\nwhere\tsure\t1\nwhere\tnever\t0\n", encoding="utf-8")
    block = {"train": str(rows), "dev": str(rows), "text": "q", "text_pair": "r", "label": "l"}
    chained.values["data"] = block
    del chained.values["task_name"]
    with refused("corpus.data-of-the-file", '"data": null'):
        chained.load()
    name = chained.values["pipeline"][0].pop("task_name")
    assert chained.load().links[0].loaded.config.data is not None, "its texts are the corpus"
    chained.values["pipeline"][0] |= {"task_name": name, "data": None}
    links = chained.load().links
    assert links[0].loaded.config.data is None and links[0].loaded.config.task_name == "corpus"
    assert links[1].loaded.config.data is not None


def test_keys_of_the_file_that_are_meant_for_other_links_are_not_warned_of(chained):
    chained.values["class_weights"] = "balanced"
    assert "corpus.key-without-effect" not in codes(chained.load().warnings)
    chained.values["pipeline"][0]["class_weights"] = "balanced"
    assert "corpus.key-without-effect" in codes(chained.load().warnings)
    del chained.values["pipeline"][0]["class_weights"]
    chained.values["preprocess"] = "t2s"
    assert "corpus.key-without-effect" in codes(chained.load().warnings), (
        "it is meant for all texts"
    )


def test_what_is_compared_starts_where_the_student_did(chained):
    """The link on a corpus stands before the start: it is none of the epochs on labels."""
    chained.values["compare_alone"] = True
    student = chained.values["pipeline"][2]
    student["student_architectures"] = {"model_name_or_path": "link:texts"}
    alone = chained.load().links[-1]
    assert alone.name == "alone" and "texts" in alone.after
    start = alone.loaded.config.student_architectures.model_name_or_path
    assert start == str(chained.output / "texts" / "student")


def test_a_head_that_is_still_to_be_trained_is_not_held_against_a_guess(chained):
    """Of a link that DistilBERT learns from there is nothing yet but its shape."""
    chained.values["pipeline"][1:] = [
        {
            "name": "distilbert",
            "model_type": "DistillerBert",
            "task_name": "corpus",
            "pretrained_architectures": {"model_name_or_path": "link:texts"},
            "student_architectures": {"num_hidden_layers": 1},
        }
    ]
    where = world.console()
    chains.check_chain(chained.load(), console=where)
    said = world.said(where)
    assert "an untrained network stood in" in said and "link 2 of 2: distilbert" in said
    assert "masked accuracy" not in said
