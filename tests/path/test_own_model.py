"""A model of one's own from docs/own_model.md: its file, its commands, transformers alone."""

import json
import re

import pytest
import transformers as tf

from chatstill import cli

from ..pages import fences, files_of, run_page
from . import by_hand, world

PAGE = "docs/own_model.md"
STEPS = 80  # until a model that starts at random knows its rows, with room to spare
SMALL = (
    "max_seq_length=16",
    "max_steps=20",
    "learning_rate=0.01",
    'training_arguments={"use_cpu": true}',
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The files of the page, chat rows, and a small network under the name it uses."""
    folder = tmp_path_factory.mktemp("own_model")
    for name, text in files_of(PAGE).items():
        (folder / name).write_text(text, encoding="utf-8")
    (folder / "scorer.json").write_text(fences(PAGE, "json")[-1], encoding="utf-8")
    world.write_chat(folder / "data", train=24)
    (folder / "rows.tsv").write_text("where is the box\tsure\n", encoding="utf-8")
    world.build_network(folder / "output_teacher" / "teacher", layers=2, dropout=0.0)
    by_hand.make_right(folder / "output_teacher" / "teacher")
    bert = world.build_network(folder / "bert-base-uncased", layers=2, dropout=0.0)
    config = json.loads((bert / "config.json").read_text("utf-8"))
    config["architectures"] = ["BertModel"]
    (bert / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def ran(folder):
    """What each command of the page printed."""
    enough = [f"max_steps={STEPS}" if "max_steps" in value else value for value in SMALL]
    return run_page(PAGE, folder, {"teach": tuple(enough)})


def test_it_is_trained_from_scratch_with_the_sizes_of_its_file(ran, folder):
    config = json.loads((folder / "output_words" / "teacher" / "config.json").read_text("utf-8"))
    assert (config["model_type"], config["width"]) == ("words-cnn", 64)
    assert config["id2label"] == {"0": "no_match", "1": "match"}
    metrics = json.loads((folder / "output_words" / "metrics.json").read_text("utf-8"))
    assert metrics["model"]["layers"] == 0 and metrics["dev"]["metrics"]["auc"] > 0.8


def test_the_kept_one_is_evaluated_and_predicts_given_the_plugin(ran, folder, monkeypatch):
    metrics = json.loads((folder / "output_words" / "metrics.json").read_text("utf-8"))
    assert f"mrr = {metrics['dev']['metrics']['mrr']:g}" in ran["evaluate"]
    assert (folder / "scores.tsv").read_text("utf-8").count("\n") == 2


def test_it_is_the_student_of_a_bert_and_kept_as_it_is(ran, folder, monkeypatch):
    monkeypatch.chdir(folder)
    (command,) = fences(PAGE, "sh")[1].splitlines()
    program, *words = command.split()
    assert program == "chatstill"
    assert cli.main([*words, *(word for value in SMALL for word in ("--set", value))]) == 0
    config = json.loads((folder / "output_student" / "student" / "config.json").read_text("utf-8"))
    assert config["model_type"] == "words-cnn"
    metrics = json.loads((folder / "output_student" / "metrics.json").read_text("utf-8"))
    assert (metrics["method"], metrics["model"]["layers"]) == ("KD", 0)
    assert cli.main(["evaluate", "output_student", "--config", "distill.json"]) == 0


def test_terms_of_hidden_states_are_refused_for_a_network_without_layers(
    folder, monkeypatch, capsys
):
    monkeypatch.chdir(folder)
    term = '{"feature": "hidden_states", "loss": "mse", "weight": 1}'
    command = ["check", "distill.json", "--set", f"distillation.terms.states={term}"]
    assert cli.main([*command, "--set", "output_dir=other", "--set", "max_seq_length=16"]) == 2
    assert "num_hidden_layers" in capsys.readouterr().err


def test_a_student_of_ones_own_with_a_tokenizer_of_its_own(folder, monkeypatch, capsys):
    """It shows no table of word embeddings: nothing may ask for one."""
    monkeypatch.chdir(folder)
    values = json.loads((folder / "distill.json").read_text("utf-8"))
    words = "[PAD] [UNK] [CLS] [SEP] [MASK]".split() + sorted({*world.WORDS, *world.GOOD, "never"})
    (folder / "words.txt").write_text("\n".join(words), encoding="utf-8")
    values["student_architectures"]["tokenizer_name_or_path"] = "words.txt"
    values |= {"output_dir": "output_tokens", "max_steps": 2}
    (folder / "tokens.json").write_text(json.dumps(values), encoding="utf-8")
    sets = [word for value in SMALL if "max_steps" not in value for word in ("--set", value)]
    assert cli.main(["distill", "tokens.json", *sets]) == 0
    printed = capsys.readouterr()
    assert f"reads its own tokens: {len(words)} entries" in printed.out + printed.err


BARE = """
import torch
from transformers import PreTrainedConfig
from transformers.modeling_outputs import SequenceClassifierOutput


class BareConfig(PreTrainedConfig):
    model_type = "bare-net"


class Bare(torch.nn.Module):
    config_class = BareConfig

    @classmethod
    def from_pretrained(cls, *args, **options):
        return cls()
"""


def test_a_model_that_lacks_what_every_network_needs_is_told_which_method(
    folder, monkeypatch, capsys
):
    monkeypatch.chdir(folder)
    (folder / "bare.py").write_text(BARE, encoding="utf-8")
    block = '{"model_type": "bare-net"}'
    sets = ['plugins=["bare.py"]', f"student_architectures={block}", "output_dir=output_bare"]
    command = [
        "check",
        "distill.json",
        *(word for one in (*sets, *SMALL) for word in ("--set", one)),
    ]
    assert cli.main(command) == 2
    error = capsys.readouterr().err
    assert "bare.py" in error and "Traceback" not in error
    assert "Bare has no _from_config and no save_pretrained" in error
    assert "class Bare(PreTrainedModel)" in error


RULES = """
import torch
from transformers import PreTrainedConfig, PreTrainedModel
from transformers.modeling_outputs import SequenceClassifierOutput


class RulesConfig(PreTrainedConfig):
    model_type = "rules"


class Rules(PreTrainedModel):
    config_class = RulesConfig

    def __init__(self, config):
        super().__init__(config)
        self.post_init()

    def forward(self, input_ids, attention_mask):
        score = ((input_ids > {first}) & (input_ids <= {last})).sum(1).float()
        return SequenceClassifierOutput(logits=torch.stack([-score, score], 1))
"""


def test_a_student_without_weights_is_refused_in_words(folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    (folder / "rules.py").write_text(RULES.format(first=5, last=9), encoding="utf-8")
    sets = ['plugins=["rules.py"]', 'student_architectures={"model_type": "rules"}']
    sets += ["output_dir=output_rules", *SMALL]
    command = ["check", "distill.json", *(word for one in sets for word in ("--set", one))]
    assert cli.main(command) == 2
    error = capsys.readouterr().err
    assert "no weight" in error and "Traceback" not in error


def test_the_card_names_the_file_and_its_code_runs(ran, folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(folder)
    card = (folder / "output_words" / "teacher" / "README.md").read_text("utf-8")
    assert "The class of this network is in the file `words_cnn.py`" in card
    code = card.split("```python\n")[1].split("```")[0]
    exec(compile(code.replace("path/to/this/folder", "output_words/teacher"), "card", "exec"), {})
    assert capsys.readouterr().out.startswith("tensor([[")


def test_without_the_plugin_a_run_folder_says_which_it_had(ran, folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    assert cli.main(["evaluate", "output_words"]) == 2
    error = capsys.readouterr().err
    assert "had plugins of its own: words_cnn.py" in error and "--plugin words_cnn.py" in error


def test_plain_transformers_loads_it_with_the_file_as_the_page_says(
    ran, folder, monkeypatch, capsys
):
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(folder)
    exec(compile(fences(PAGE, "python")[1], PAGE, "exec"), {})
    number = r"\d\.\d+(e-\d+)?"
    assert re.match(rf"tensor\(\[\[{number}, {number}\]\]", capsys.readouterr().out)


def test_a_scorer_of_replies_is_a_plain_classifier_of_one_logit(folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    sets = [word for value in SMALL for word in ("--set", value)]
    assert cli.main(["teach", "scorer.json", *sets]) == 0
    model = tf.AutoModelForSequenceClassification.from_pretrained("output_scorer/teacher")
    assert (model.config.num_labels, model.config.id2label) == (1, {0: "match"})
    tokenizer = tf.AutoTokenizer.from_pretrained("output_scorer/teacher")
    classify = tf.pipeline("text-classification", model=model, tokenizer=tokenizer)
    found = classify({"text": "where is the box", "text_pair": "sure"})
    found = found[0] if isinstance(found, list) else found
    inputs = tokenizer("where is the box", "sure", return_tensors="pt").to(model.device)
    score = model(**inputs).logits.sigmoid().item()
    assert found == {"label": "match", "score": pytest.approx(score, abs=1e-6)}
    assert cli.main(["evaluate", "output_scorer"]) == 0
    assert "mrr" in capsys.readouterr().out
    values = {"model_type": "theseus-bert", "theseus_scheduler": {}, "output_dir": "output_half"}
    values["teacher_architectures"] = {
        "model_type": "qa",
        "model_name_or_path": "output_scorer/teacher",
    }
    values |= {"task_name": "chat", "allow_weak_teacher": True, "per_gpu_train_batch_size": 8}
    (folder / "half.json").write_text(json.dumps(values), encoding="utf-8")
    assert cli.main(["distill", "half.json", *sets]) == 0
    config = tf.AutoConfig.from_pretrained("output_half/student")
    assert (config.num_hidden_layers, config.num_labels) == (1, 1)


def test_a_student_has_the_outputs_of_its_teacher(folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    values = {
        "model_type": "KD",
        "task_name": "chat",
        "output_dir": "output_qa",
        "distillation": {},
    }
    values["teacher_architectures"] = {"model_name_or_path": "output_teacher/teacher"}
    student = {"model_type": "qa", "model_name_or_path": "bert-base-uncased"}
    for number, (more, code) in enumerate((({}, 0), ({"num_labels": 1}, 2))):
        name = f"qa{number}.json"
        values["student_architectures"] = {**student, **more}
        (folder / name).write_text(json.dumps(values), encoding="utf-8")
        sets = [word for value in SMALL for word in ("--set", value)]
        assert cli.main(["check", name, *sets]) == code
    assert "the teacher has 2 outputs, and so has its student" in capsys.readouterr().err


@pytest.mark.slow
def test_it_teaches_another_and_its_stored_answers_go_by_its_code(ran, folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    teacher = "teacher_architectures.model_name_or_path=output_words/teacher"
    sets = [teacher, "allow_weak_teacher=true", "cache_dir=stored", *SMALL]
    command = ["distill", "distill.json", *(word for one in sets for word in ("--set", one))]
    command += ["--set", "teacher_cache=true", "--set"]
    assert cli.main([*command, "output_dir=first"]) == 0
    caches = len(list((folder / "stored" / "teacher").iterdir()))
    assert cli.main([*command, "output_dir=second"]) == 0
    assert len(list((folder / "stored" / "teacher").iterdir())) == caches
    code = (folder / "words_cnn.py").read_text("utf-8")
    (folder / "other_cnn.py").write_text(code + "# computed otherwise\n", encoding="utf-8")
    assert cli.main([*command, "output_dir=third", "--set", 'plugins=["other_cnn.py"]']) == 0
    assert len(list((folder / "stored" / "teacher").iterdir())) > caches


def test_an_unknown_model_type_brings_the_nearest_of_the_plugin(folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    command = ["check", "teach.json", "--set", "teacher_architectures.model_type=word-cnn"]
    assert cli.main([*command, "--set", "output_dir=other"]) == 2
    error = capsys.readouterr().err
    assert "no plugin has a model of that name" in error and "Did you mean 'words-cnn'?" in error
