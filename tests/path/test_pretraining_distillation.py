"""Distillation on a corpus from its configuration to its folder: students, interrupts, refusals."""

import json
import random
import subprocess
import sys

import pytest
import torch
import transformers as tf

from chatstill import cli
from chatstill.errors import UserError
from chatstill.run import run as pipeline
from tests.draws import reseeded
from tests.found import codes, refused
from tests.longer import longer

from . import test_masked_lm as corpus_runs
from . import world
from .same_student import one_and_two_alike
from .test_masked_lm import BrokenOnCorpus, told


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus")
    (folder / "corpus").mkdir()
    (folder / "corpus" / "train.txt").write_text(corpus_runs.corpus(60), encoding="utf-8")
    (folder / "corpus" / "dev.txt").write_text(corpus_runs.corpus(40, seed=1), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def teacher(data, tmp_path_factory):
    """A network that knows the corpus."""
    folder = tmp_path_factory.mktemp("teacher")
    start = corpus_runs.network(folder / "start", dropout=0.0)
    values = corpus_runs.values_for(
        data, folder / "out", start, num_train_epochs=25, learning_rate=0.01
    )
    corpus_runs.run(values, folder)
    return folder / "out" / "student"


def values_for(data, output, teacher, **changes):
    shared = {"model_type": "DistilBERT", "num_train_epochs": 6, "save_steps": 12}
    return corpus_runs.values_for(data, output, teacher, **shared | changes)


def plan_of(values, folder):
    where = world.console()
    pipeline.check(world.loaded(values, folder), console=where)
    return world.said(where)


@pytest.fixture(scope="module")
def made(data, teacher, tmp_path_factory):
    folder = tmp_path_factory.mktemp("made")
    said = corpus_runs.run(values_for(data, folder / "out", teacher), folder)
    return folder / "out", said


def test_distilbert_teaches_a_student_of_half_the_layers(made, teacher):
    folder, said = made
    assert "kl of vocabulary, weight 5, temperature 2" in said
    assert "mlm of vocabulary, weight 2" in said and "cos of hidden_states, weight 1" in said
    assert "masked accuracy" in said and "always '" in said
    found = told(folder)
    assert found["teacher"]["main"] == found["dev"]["main"] == "loss"
    assert found["dev"]["metrics"]["masked_acc"] > 0.6
    assert found["model"]["parameters"] < found["teacher"]["parameters"]
    student, info = tf.AutoModelForMaskedLM.from_pretrained(
        folder / "student", output_loading_info=True
    )
    assert not info["missing_keys"] and student.config.num_hidden_layers == 1
    for name in ("loss", "masked_acc"):
        assert f"teacher {name} = {found['teacher']['metrics'][name]:.6g}" in said


def test_the_student_starts_evenly_spread_unless_it_is_told_otherwise(data, tmp_path):
    deep = corpus_runs.network(tmp_path / "deep")
    config = tf.AutoConfig.from_pretrained(deep)
    config.num_hidden_layers = 5
    tf.AutoModelForMaskedLM.from_config(config).save_pretrained(deep)
    values = {"allow_weak_teacher": True, "student_architectures": {"num_hidden_layers": 3}}
    said = plan_of(values_for(data, tmp_path / "out", deep, **values), tmp_path)
    assert "the teacher's layers [0, 2, 4] (0-based)" in said
    values["student_architectures"]["copy_layers"] = "first"
    said = plan_of(values_for(data, tmp_path / "out", deep, **values), tmp_path)
    assert "the teacher's layers [0, 1, 2] (0-based)" in said


def test_a_student_of_another_architecture_starts_where_the_teachers_layers_are(
    data, teacher, tmp_path
):
    block = {"model_type": "distilbert", "num_hidden_layers": 2}
    values = values_for(data, tmp_path / "out", teacher, student_architectures=block, max_steps=1)
    values |= {"learning_rate": 1e-9, "num_train_epochs": None}
    corpus_runs.run({k: v for k, v in values.items() if v is not None}, tmp_path / "c")
    student = tf.AutoModelForMaskedLM.from_pretrained(tmp_path / "out" / "student")
    assert student.config.model_type == "distilbert"
    found = told(tmp_path / "out")
    assert found["dev"]["value"] == pytest.approx(found["teacher"]["value"], rel=1e-4)


def test_a_student_that_starts_at_random_is_of_the_type_that_is_named(data, teacher, tmp_path):
    block = {"model_type": "distilbert", "num_hidden_layers": 1, "copy_from": "none"}
    values = values_for(data, tmp_path / "out", teacher, student_architectures=block)
    assert "the student starts at random" in plan_of(values, tmp_path / "c")
    loaded = world.loaded(values, tmp_path / "c")
    job = pipeline.open_job_of(loaded, "distill")
    assert type(job.method.student).__name__ == "DistilBertForMaskedLM"
    values["student_architectures"] = {**block, "model_type": "electra"}
    with pytest.raises(UserError):
        pipeline.open_job_of(world.loaded(values, tmp_path / "d"), "distill")


def test_a_narrower_student_learns_hidden_states_through_projections(data, teacher, tmp_path):
    config = tf.AutoConfig.from_pretrained(teacher)
    config.hidden_size, config.num_hidden_layers = 8, 1
    config.save_pretrained(tmp_path / "small")
    block = {"config_file": str(tmp_path / "small" / "config.json")}
    changes = {"model_type": "TinyBERT-general", "student_architectures": block}
    said = corpus_runs.run(values_for(data, tmp_path / "out", teacher, **changes), tmp_path / "c")
    assert "the student starts at random" in said and "projection 8→16 (shared)" in said
    losses = corpus_runs.losses(tmp_path / "out")
    assert losses[-1] < losses[0]
    dev = told(tmp_path / "out")["dev"]
    assert dev["lower_is_better"] and {*dev["metrics"]} == {
        "loss",
        "term/hidden",
        "term/attention",
    }
    assert dev["value"] == pytest.approx(sum(dev["metrics"].values()) - dev["value"])
    assert "masked" not in (tmp_path / "out" / "eval_results.txt").read_text("utf-8")
    body, info = tf.AutoModel.from_pretrained(
        tmp_path / "out" / "student", output_loading_info=True
    )
    assert body.config.hidden_size == 8 and body.config.architectures == ["BertModel"]
    assert not info["unexpected_keys"]
    assert all(name.startswith("pooler.") for name in info["missing_keys"]), "a masked LM has none"
    card = (tmp_path / "out" / "student" / "README.md").read_text("utf-8")
    assert "no masked-LM head" in card and "by its teacher" in card
    assert "It has no head" in (tmp_path / "out" / "report.html").read_text("utf-8")
    code = card.split("```python\n")[1].split("```")[0]
    exec(code.replace("path/to/this/folder", str(tmp_path / "out" / "student")), {})


def test_the_student_is_what_teach_and_other_methods_start_from(made, tmp_path):
    world.write_chat(tmp_path)
    values = {
        "task_name": "chat",
        "data_dir": str(tmp_path),
        "output_dir": str(tmp_path / "out"),
        "teacher_architectures": {"model_name_or_path": str(made[0] / "student")},
        "max_seq_length": 24,
        "max_steps": 2,
    }
    (tmp_path / "my.json").write_text(json.dumps(values), encoding="utf-8")
    assert cli.main(["teach", str(tmp_path / "my.json")]) == 0
    kept = tf.AutoModelForSequenceClassification.from_pretrained(tmp_path / "out" / "teacher")
    assert kept.config.num_hidden_layers == 1


def test_killed_and_started_again_it_ends_as_unbroken(data, teacher, tmp_path):
    changes = {"model_type": "DistilBERT", "save_steps": 3, "eval_steps": 4, "num_train_epochs": 3}
    broken = BrokenOnCorpus(data, teacher, tmp_path, changes)
    broken.kill_again_and_again("again", random.Random(reseeded(2)), times=3, least=1)


@pytest.mark.parametrize("accumulation", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_two_processes_make_the_student_of_one(data, teacher, tmp_path, accumulation):
    exact = {"training_arguments": {"optim": "sgd"}, "learning_rate": 0.02, "keep": "last"}
    exact |= {"gradient_accumulation_steps": accumulation, "num_train_epochs": 2}

    def loaded(name, batch):
        values = values_for(data, tmp_path / name, teacher, **exact, per_gpu_train_batch_size=batch)
        return world.loaded(values, tmp_path / f"configs-{name}")

    one = one_and_two_alike(loaded, tmp_path)
    begun = world.weights_of(teacher)["bert.encoder.layer.0.intermediate.dense.weight"]
    assert (one["bert.encoder.layer.0.intermediate.dense.weight"] - begun).abs().max() > 1e-4
    figures = [told(tmp_path / name)["dev"]["metrics"] for name in ("one", "two")]
    assert figures[0] == pytest.approx(figures[1], rel=1e-4)


def test_a_teacher_that_was_never_trained_is_told(data, tmp_path):
    """No head where a term reads one; no better than a guess; neither matters where nothing reads it."""
    bare = corpus_runs.network(tmp_path / "bare", head=False)
    with refused("corpus.teacher-without-head", "MaskedLM"):
        plan_of(values_for(data, tmp_path / "out", bare), tmp_path)
    fresh = corpus_runs.network(tmp_path / "fresh")
    with refused("corpus.teacher-no-better-than-a-guess"):
        plan_of(values_for(data, tmp_path / "out", fresh), tmp_path)
    allowed = values_for(data, tmp_path / "out", fresh, allow_weak_teacher=True)
    assert "not clearly better than a guess" in plan_of(allowed, tmp_path)
    said = plan_of(
        values_for(data, tmp_path / "out", bare, model_type="TinyBERT-general"), tmp_path
    )
    assert "guess" not in said
    assert not (tmp_path / "out").exists()


def test_what_does_not_fit_is_told_before_anything_starts(data, teacher, tmp_path):
    pieces = [*world.PIECES, "more"]
    other = corpus_runs.network(tmp_path / "other")
    tf.BertTokenizer(vocab={p: n for n, p in enumerate(pieces)}).save_pretrained(other)
    cases = {
        "corpus.another-tokenizer": {"model_name_or_path": str(other)},
        "student.type-of-the-teacher": {"model_type": "roberta"},
        "student.copy-layers-do-not-fit": {"copy_layers": [0, 7]},
        "student.deeper-than-its-start": {"num_hidden_layers": 9},
    }
    for code, block in cases.items():
        values = values_for(data, tmp_path / "out", teacher, student_architectures=block)
        with refused(code):
            plan_of(values, tmp_path)
    missing = values_for(data, tmp_path / "out", teacher, pretrained_architectures=None)
    with refused("teacher.block-missing", "pretrained_architectures"):
        world.loaded(missing, tmp_path)
    assert not (tmp_path / "out").exists()


FINE_TUNES = """
import sys

class Refused:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "chatstill":
            raise ImportError("chatstill is not installed here")

sys.meta_path.insert(0, Refused())
import torch
import transformers as tf

folder, out = sys.argv[1:]
tokenizer = tf.AutoTokenizer.from_pretrained(folder)
model = tf.AutoModelForSequenceClassification.from_pretrained(folder, num_labels=2)
encoded = tokenizer(["sure the box", "never the box"] * 8, return_tensors="pt", padding=True)
rows = [
    {**{name: value[i] for name, value in encoded.items()}, "labels": i % 2} for i in range(16)
]
arguments = tf.TrainingArguments(
    out, max_steps=3, per_device_train_batch_size=4, use_cpu=True, report_to=[], save_strategy="no"
)
before = model.base_model.embeddings.word_embeddings.weight.detach().clone()
tf.Trainer(model, arguments, train_dataset=rows).train()
assert not torch.equal(before, model.base_model.embeddings.word_embeddings.weight)
print(type(model).__name__)
"""


@pytest.mark.parametrize(
    ("model_type", "block", "kind"),
    longer(
        [
            ("DistilBERT", {"model_type": "distilbert"}, "DistilBertForSequenceClassification"),
            ("TinyBERT-general", {}, "BertForSequenceClassification"),
            ("MiniLM", {}, "BertForSequenceClassification"),
        ]
    ),
)
def test_transformers_alone_fine_tunes_the_student(
    data, teacher, tmp_path, model_type, block, kind
):
    values = values_for(
        data,
        tmp_path / "out",
        teacher,
        model_type=model_type,
        student_architectures={"num_hidden_layers": 1, **block},
        max_steps=2,
        num_train_epochs=None,
    )
    corpus_runs.run({k: v for k, v in values.items() if v is not None}, tmp_path / "c")
    words = [str(tmp_path / "out" / "student"), str(tmp_path / "trainer")]
    done = subprocess.run(
        [sys.executable, "-c", FINE_TUNES, *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert kind in done.stdout


@pytest.mark.parametrize("kind", longer(["modernbert", "roberta", "electra", "distilbert"]))
@pytest.mark.parametrize("model_type", ["DistilBERT", "MiniLM"])
def test_teachers_of_other_families(data, tmp_path, kind, model_type):
    teacher = corpus_runs.network(tmp_path / "teacher", kind)
    values = values_for(
        data,
        tmp_path / "out",
        teacher,
        model_type=model_type,
        allow_weak_teacher=True,
        student_architectures={"num_hidden_layers": 1},
        max_steps=2,
        num_train_epochs=None,
    )
    corpus_runs.run({k: v for k, v in values.items() if v is not None}, tmp_path / "c")
    student = tf.AutoModel.from_pretrained(tmp_path / "out" / "student")
    assert student.config.num_hidden_layers == 1 and student.config.model_type == kind


def test_a_stored_teacher_is_refused_or_has_no_effect(data, teacher, tmp_path):
    """Masked tokens are drawn anew; without masks a teacher runs live all the same."""
    with refused("cache.tokens-are-drawn"):
        world.loaded(values_for(data, tmp_path / "out", teacher, teacher_cache=True), tmp_path)
    changes = {"teacher_cache": True, "model_type": "MiniLM"}
    loaded = world.loaded(values_for(data, tmp_path / "out", teacher, **changes), tmp_path)
    assert codes(loaded.warnings) == ["corpus.key-without-effect"]


def test_probabilities_beyond_a_layers_window_are_warned_of(data, tmp_path):
    teacher = corpus_runs.network(tmp_path / "teacher", "modernbert")
    config = tf.AutoConfig.from_pretrained(teacher)
    config.local_attention, config.num_hidden_layers = 8, 2
    tf.AutoModelForMaskedLM.from_config(config).save_pretrained(teacher)
    values = values_for(data, tmp_path / "out", teacher, model_type="MiniLM")
    assert "some layers look at fewer around a token" in plan_of(values, tmp_path)


def test_a_decoder_teaches_next_tokens(data, tmp_path):
    tokenizer = world.tokenizer_of("llama")
    torch.manual_seed(reseeded(0))
    config = world.config_of("llama", len(tokenizer), 2, 0.0)
    teacher = tmp_path / "teacher"
    tf.AutoModelForCausalLM.from_config(config).save_pretrained(teacher)
    tokenizer.save_pretrained(teacher)
    knobs = {"masking": "none", "alpha_clm": 2, "terms": {"mlm": {"weight": 0}}}
    values = values_for(
        data,
        tmp_path / "out",
        teacher,
        distillation=knobs,
        allow_weak_teacher=True,
        student_architectures={"num_hidden_layers": 1},
        learning_rate=0.01,
    )
    said = corpus_runs.run(values, tmp_path / "c")
    assert "clm of vocabulary" in said and "next-token accuracy" in said
    student, info = tf.AutoModelForCausalLM.from_pretrained(
        tmp_path / "out" / "student", output_loading_info=True
    )
    assert not info["missing_keys"] and student.config.num_hidden_layers == 1
    found = told(tmp_path / "out")
    assert found["dev"]["value"] < found["teacher"]["value"], (
        "alpha_clm teaches beyond a random one"
    )
    terms = {"term/ce", "term/cos", "term/alpha_clm"}
    assert {*found["dev"]["metrics"]} == {"loss", "next_acc", "perplexity", *terms}
    card = (tmp_path / "out" / "student" / "README.md").read_text("utf-8")
    assert "text-generation" in card and "AutoModelForCausalLM" in card
    words = ["evaluate", str(tmp_path / "out"), "--output", str(tmp_path / "again")]
    assert cli.main(words) == 0
    dev = told(tmp_path / "again")["dev"]
    assert (
        dev["metrics"].items() <= found["dev"]["metrics"].items()
        and dev["value"] == found["dev"]["value"]
    )
    masked = values_for(data, tmp_path / "out2", teacher, allow_weak_teacher=True)
    with refused("terms.decoder-with-masks"):
        plan_of(masked, tmp_path)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"distillation": {"masking": "distilbrt"}}, "config.wrong-value"),
        ({"distillation": {"task_ce": 1}}, "config.refused-value"),
        ({"model_type": "MiniLMv3"}, "method.unknown"),
    ],
)
def test_a_mistake_on_a_corpus_asks_for_no_teacher_of_a_task(data, teacher, tmp_path, change, code):
    with pytest.raises(UserError) as error:
        world.loaded(values_for(data, tmp_path / "out", teacher, **change), tmp_path)
    assert codes(error.value.problems) == [code]
