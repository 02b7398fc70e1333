"""Methods that listen to no teacher, on a task: where the student comes from, and its figures."""

import json

import pytest
import torch
import transformers as tf

from chatstill import cli
from chatstill.errors import UserError
from chatstill.run import run as pipeline
from tests.found import codes, found, refused

from . import world

METHOD = '''
"""Gold labels, smoothed: no teacher is asked."""
from chatstill.methods.base import Method, MethodConfig, Phase


class Config(MethodConfig):
    pass


class Smoothed(Method):
    Config = Config
    needs_teacher = False

    def phases(self):
        assert self.teacher is None
        run = self.run
        return [Phase("smoothed", run.num_train_epochs, max_steps=run.max_steps)]

    def begin(self, phase):
        self.student.requires_grad_(True)
        return self.student

    def counts(self, batch, ctx):
        return {"smoothed": float(len(batch["labels"]))}

    def terms(self, batch, student, teacher, ctx):
        from torch.nn import functional as F

        from chatstill.losses import Term

        assert teacher is None
        labels = batch["labels"]
        if self.objective == "cross_entropy":
            loss = F.cross_entropy(student.logits, labels.long(), reduction="sum", label_smoothing=0.1)
        elif self.objective == "sigmoid":
            loss = F.binary_cross_entropy_with_logits(student.logits[:, 0], labels.float(), reduction="sum")
        else:
            loss = F.mse_loss(student.logits[:, 0], labels.float(), reduction="sum")
        return {"smoothed": Term(loss, float(len(labels)))}
'''


@pytest.fixture(scope="module")
def plugin(tmp_path_factory):
    path = tmp_path_factory.mktemp("plugin") / "smooth.py"
    path.write_text(METHOD, encoding="utf-8")
    return path


@pytest.fixture
def alone(shared, plugin, tmp_path):
    """``alone(student_architectures=…)``: the values of a run without a teacher."""

    def make(name="out", **changes):
        options = {"model_type": "smooth", "theseus_scheduler": None, "teacher_architectures": None}
        options |= {"plugins": [str(plugin)], "num_train_epochs": 1, **changes}
        return world.values_for(shared / "data", tmp_path / name, tmp_path, **options)

    return make


@pytest.fixture
def check(tmp_path):
    def go(values):
        where = world.console()
        pipeline.check(world.loaded(values, tmp_path / "configs", "check"), console=where)
        return world.said(where)

    return go


@pytest.fixture
def distill(tmp_path):
    def go(values):
        where = world.console()
        pipeline.distill(world.loaded(values, tmp_path / "configs"), console=where)
        return world.said(where)

    return go


@pytest.fixture
def architecture(tmp_path):
    """A config file and a folder with its tokenizer."""
    tokenizer = world.tokenizer_of("bert")
    tokenizer.save_pretrained(tmp_path / "tokenizer")
    path = tmp_path / "one.json"
    path.write_text(world.config_of("bert", len(tokenizer), 1, 0.1).to_json_string(), "utf-8")
    return {"config_file": str(path), "tokenizer_name_or_path": str(tmp_path / "tokenizer")}


def told(folder):
    return json.loads((folder / "metrics.json").read_text(encoding="utf-8"))


def test_a_whole_run_has_figures_of_its_own_alone(alone, distill, teacher_of, plugin, tmp_path):
    student = {"model_name_or_path": str(teacher_of())}
    said = distill(alone(student_architectures=student))
    metrics = told(tmp_path / "out")
    assert not {"teacher", "agreement", "ratio"} & metrics.keys()
    assert metrics["dev"]["main"] == "mrr" and metrics["model"]["layers"] == 4
    assert "teacher" not in said.lower().replace(str(teacher_of()).lower(), "")
    assert not (tmp_path / "out" / "label_noise.tsv").exists()
    card = (tmp_path / "out" / "student" / "README.md").read_text(encoding="utf-8")
    assert "trained with smooth" in card and "distilled from" not in card
    assert cli.main(["evaluate", str(tmp_path / "out"), "--plugin", str(plugin)]) == 0
    assert "holds this run, finished" in distill(alone(student_architectures=student))


def test_it_starts_from_the_students_weights(alone, distill, teacher_of, tmp_path):
    student = {"model_name_or_path": str(teacher_of())}
    distill(alone(student_architectures=student, learning_rate=1e-9, max_steps=1))
    before, after = world.weights_of(teacher_of()), world.weights_of(tmp_path / "out" / "student")
    assert before.keys() == after.keys()
    for name in before:
        torch.testing.assert_close(before[name], after[name], rtol=0, atol=1e-6)


def test_it_starts_from_the_pretrained_model_without_its_classifier(
    alone, distill, teacher_of, tmp_path
):
    start = {"model_name_or_path": str(teacher_of())}
    values = alone(pretrained_architectures=start, learning_rate=1e-9, max_steps=1)
    distill(values)
    before, after = world.weights_of(teacher_of()), world.weights_of(tmp_path / "out" / "student")
    name = "bert.encoder.layer.3.output.dense.weight"
    torch.testing.assert_close(before[name], after[name], rtol=0, atol=1e-6)
    assert (before["classifier.weight"] - after["classifier.weight"]).abs().max() > 0.01


@pytest.mark.parametrize(
    ("student", "words"),
    [
        ({"num_hidden_layers": 2}, "as layers [0, 1] (0-based) of 4"),
        ({"copy_layers": [0, 3]}, "as layers [0, 3]"),
        ({"num_hidden_layers": 2, "copy_layers": "last"}, "as layers [2, 3]"),
    ],
)
def test_layers_of_the_pretrained_model(alone, check, teacher_of, student, words):
    start = {"model_name_or_path": str(teacher_of())}
    plan = check(alone(pretrained_architectures=start, student_architectures=student))
    assert words in plan and "student " in plan and "2 layers" in plan
    assert "teacher on dev" not in plan


def test_random_weights(alone, check, architecture, teacher_of):
    plan = check(alone(student_architectures=architecture))
    assert "the student starts at random" in plan and "1 layer" in plan
    start = {"model_name_or_path": str(teacher_of())}
    own = {**architecture, "copy_from": "none"}
    plan = check(alone(student_architectures=own, pretrained_architectures=start))
    assert "the student starts at random" in plan


def test_an_architecture_of_the_pretrained_models_shape_takes_its_layers(
    alone, check, architecture, teacher_of
):
    start = {"model_name_or_path": str(teacher_of())}
    plan = check(alone(student_architectures=architecture, pretrained_architectures=start))
    assert "as layers [0] (0-based) of 4" in plan


def test_a_network_of_the_package_needs_no_tokenizer(alone, distill, plugin, tmp_path):
    student = {"model_type": "static", "network": {"segmenter": "words", "width": 8}}
    said = distill(alone(student_architectures=student))
    assert "the student reads words" in said
    assert told(tmp_path / "out")["model"]["kind"] == "static"
    assert cli.main(["evaluate", str(tmp_path / "out"), "--plugin", str(plugin)]) == 0


def test_pieces_and_vectors_of_a_teacher_that_there_is_not(alone, check):
    student = {"model_type": "static", "network": {"segmenter": "pieces", "width": 8}}
    with refused("words.no-tokenizer-of-pieces"):
        check(alone(student_architectures=student))
    student["network"] = {"segmenter": "words", "width": 8, "vectors": "teacher"}
    with refused("vectors.no-teacher"):
        check(alone(student_architectures=student))


def test_nothing_that_it_could_start_from(alone, check, teacher_of):
    with refused("student.nothing-named"):
        check(alone())
    start = {"model_name_or_path": str(teacher_of())}
    student = {"copy_from": "teacher"}
    with refused("student.no-teacher-to-copy"):
        check(alone(pretrained_architectures=start, student_architectures=student))
    with pytest.raises(UserError) as error:
        check(alone(pretrained_architectures={"model_name_or_path": "./nowhere"}))
    assert codes(error) == ["weights.missing"]


def test_a_teacher_that_is_named_all_the_same_is_told_once(alone, check, teacher_of, tmp_path):
    student = {"model_name_or_path": str(teacher_of())}
    teacher = {"model_name_or_path": str(tmp_path / "gone")}
    values = alone(student_architectures=student, teacher_architectures=teacher)
    loaded = world.loaded(values, tmp_path / "configs")
    named = [code for code, _ in found(loaded.warnings)]
    assert named == ["teacher.without-effect"]
    assert loaded.config.teacher_architectures is None
    assert "teacher on dev" not in check(values)


def test_a_regression_and_a_scorer(alone, check, distill, teacher_of, tmp_path):
    start = {"model_name_or_path": str(teacher_of())}
    distill(alone(task_name="stsb", pretrained_architectures=start, max_steps=1))
    assert told(tmp_path / "out")["dev"]["main"] == "corr"
    kept = tf.AutoModelForSequenceClassification.from_pretrained(tmp_path / "out" / "student")
    assert kept.config.num_labels == 1
