"""What a configuration may hold: every fault is named with its key, its place and the way out."""

import json
import os
import subprocess
import sys

import pytest

from chatstill.config import Loaded
from chatstill.config.schema import Architecture, RunKeys
from chatstill.errors import UserError
from tests.found import holds, refused, told

from .conftest import EXAMPLE


def test_a_complete_configuration_loads(world):
    loaded = world.load()
    assert isinstance(loaded, Loaded)
    assert loaded.warnings == []
    config = loaded.config
    assert (config.model_type, config.method_name, config.task_name) == (
        "theseus-bert",
        "theseus",
        "chat",
    )
    assert config.method.replacing_rate == 0.3
    assert config.method.scheduler_linear_k == 0.0006
    assert config.teacher_architectures.model_name_or_path == "teacher"
    assert config.student_architectures is None
    assert (config.per_gpu_train_batch_size, config.num_train_epochs) == (8, 2.0)


def test_every_key_of_the_specification_is_known(world):
    world.values |= {
        "max_seq_length": 32,
        "learning_rate": 3e-5,
        "warmup_percentage": 0.1,
        "per_gpu_eval_batch_size": 4,
        "gradient_accumulation_steps": 2,
        "weight_decay": 0.0,
        "adam_epsilon": 1e-6,
        "max_grad_norm": 0.5,
        "seed": 7,
        "bf16": True,
        "do_lower_case": True,
        "save_steps": 100,
        "save_total_limit": 3,
        "eval_steps": 50,
        "logging_steps": 10,
        "max_steps": -1,
        "patience": 2,
        "keep": "best",
        "predictions_texts": True,
        "cache_dir": "cache",
        "plugins": [],
        "allow_weak_teacher": True,
        "positive_label": "match",
        "groups": "query",
        "class_weights": "balanced",
        "selection_metric": "map",
        "teacher_output": "logit",
        "teacher_output_range": [0, 1],
        "max_query_length": 10,
        "max_reply_length": 10,
        "truncation_side": "left",
        "training_arguments": {"note": "mine", "lr_scheduler_type": "cosine", "adam_beta1": 0.8},
    }
    loaded = world.load()
    assert loaded.warnings == []
    assert loaded.config.training_arguments == {"lr_scheduler_type": "cosine", "adam_beta1": 0.8}
    assert loaded.config.keep == "best"


FAULTS = {
    "text for a number": (
        "learning_rate",
        "5e-5",
        "must be a number, found the text",
        "Remove the quotes: 5e-5.",
    ),
    "text": ("seed", "x", 'must be a whole number, found the text "x"', ""),
    "half a step": ("save_steps", 1.5, "must be a whole number, found the number 1.5", ""),
    "truth for a number": ("seed", True, "must be a whole number, found true", ""),
    "number for truth": ("fp16", 1, "must be true or false, found the number 1", ""),
    "text for truth": (
        "fp16",
        "True",
        'must be true or false, found the text "True"',
        "without quotes",
    ),
    "null": ("seed", None, "must be a whole number, found null", "take the default, 42"),
    "too small": ("learning_rate", 0, "must be above 0, found the number 0", ""),
    "zero rows": ("per_gpu_train_batch_size", 0, "must be at least 1, found the number 0", ""),
    "choice": (
        "keep",
        "bets",
        'must be "last" or "best", found the text "bets"',
        'Did you mean "best"?',
    ),
    "block": ("training_arguments", 3, "must be a block { … }, found the number 3", ""),
    "no list": ("plugins", "a.py", "must be a list [ … ]", ""),
    "no text": ("data_dir", 3, "must be text in quotes, found the number 3", ""),
    "no block": ("teacher_architectures", "bert", "must be a block { … }", ""),
    "share": ("warmup_percentage", 10, "must be at most 1, found the number 10", ""),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_value_of_the_wrong_kind(fault, world):
    key, value, message, hint = FAULTS[fault]
    world.values[key] = value
    problem = next(p for p in world.problems() if f"'{key}' must" in p.message)
    assert problem.place == world.place(key)
    assert problem.severity == "error"
    assert message in problem.message
    assert hint in problem.hint


def test_names_do_not_depend_on_their_spelling(world):
    for name in ("theseus", "Theseus-Bert", "bert-of-theseus", "THESEUS_BERT", "Bert of Theseus"):
        assert world.load(f"model_type={name}").config.model_type == "theseus-bert"
    for name in ("ChatQA", "CHAT", "chat_qa"):
        assert world.load(f"task_name={name}").config.task_name == "chat"
    assert world.load("keep=Best").config.keep == "best"
    for word, meant in (
        ("Linear", "linear"),
        ("None", "constant"),
        ("null", "constant"),
        ("CONSTANT", "constant"),
    ):
        loaded = world.load(f"theseus_scheduler.scheduler_type={word}")
        assert loaded.config.method.scheduler_type == meant


def test_key_names_are_exact(world):
    world.values["Seed"] = 1
    assert holds(world.report(), ("config.unknown-key", "'Seed'", "'seed'"))


@pytest.mark.parametrize(
    ("key", "value", "hint"),
    [
        ("learning_rat", 1e-5, "Did you mean 'learning_rate'?"),
        ("taskname", "chat", "Did you mean 'task_name'?"),
        ("steps_for_replacing", 9, "It belongs in theseus_scheduler."),
        ("replacing_rat", 0.5, "Did you mean 'replacing_rate' in theseus_scheduler?"),
        ("theseus_schedule", {}, "Did you mean 'theseus_scheduler'?"),
        ("adam_beta1", 0.9, "It belongs in training_arguments."),
        ("method", {}, "Here it is 'model_type'."),
        ("qqqqq", 1, ""),
    ],
)
def test_an_unknown_key_is_an_error_with_the_nearest_known_one(key, value, hint, world):
    world.values[key] = value
    (problem,) = world.problems()
    assert problem.place == world.place(key)
    assert problem.message == f"unknown key '{key}'."
    assert problem.hint == hint


def test_an_unknown_key_inside_a_block(world):
    world.values["teacher_architectures"]["model_path"] = "x"
    world.values["theseus_scheduler"]["replacing_rte"] = 0.5
    world.values["theseus_scheduler"]["learning_rate"] = 0.5
    problems = [p for p in world.problems() if p.code == "config.unknown-key"]
    found = {p.message.split("'")[1]: p for p in problems}
    assert found.keys() == {"model_path", "replacing_rte", "learning_rate"}
    assert "teacher_architectures" in found["model_path"].message
    assert "'model_name_or_path'" in found["model_path"].hint
    assert "'replacing_rate'" in found["replacing_rte"].hint
    assert "the top of the file" in found["learning_rate"].hint


def test_note_is_a_comment_in_any_block(world):
    world.values["note"] = {"any": ["thing", 1]}
    world.values["teacher_architectures"]["note"] = 3
    world.values["theseus_scheduler"]["note"] = None
    world.values["training_arguments"] = {"note": "x"}
    loaded = world.load()
    assert loaded.warnings == []
    assert not any("note" in key for key in loaded.resolved())


def test_all_problems_come_at_once(world):
    world.values |= {"seed": "x", "kep": "best", "model_type": "tesheus", "task_name": "chatt"}
    world.values |= {"fp16": True, "bf16": True, "data_dir": "nowhere"}
    world.values["teacher_architectures"]["model_name_or_path"] = "./nowhere"
    world.values["dc_bert_model_config"]["copy_from_bert_layer_num"] = "last"
    report = world.report()
    for message in (
        "'seed' must be a whole number",
        ("config.unknown-key", "'kep'"),
        "no method 'tesheus'. Did you mean 'theseus-bert'? Known: ",
        ("task.unknown", "'chatt'"),
        "config.two-precisions",
        "data.dir-missing",
        ("weights.missing", "/nowhere"),
        "warning: my.json: line",
    ):
        assert holds(report, message)
    lines = [
        int(p.place.split("line ")[1].split(",")[0])
        for p in world.problems()
        if p.severity == "error"
    ]
    assert lines == sorted(lines)


def test_set_overrides_the_file_and_says_so(world):
    world.values["learning_rate"] = 1e-5
    loaded = world.load(
        "learning_rate=3e-5",
        "theseus_scheduler.replacing_rate=0.5",
        "output_dir=a=b",
        "seed=9",
        "seed=10",
    )
    assert loaded.config.learning_rate == 3e-5
    assert loaded.config.method.replacing_rate == 0.5
    assert loaded.config.output_dir == "a=b"
    assert loaded.config.seed == 10
    assert loaded.origins["learning_rate"] == "--set"
    assert loaded.arguments[:4] == ["distill", "my.json", "--set", "learning_rate=3e-5"]


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("seed", "config.override-without-value"),
        ("=3", "config.override-without-value"),
        ("a..b=3", "config.override-without-value"),
        ("seed=x", "--set seed=x: 'seed' must be a whole number"),
        ("sede=3", ("config.unknown-key", "sede=3", "'sede'")),
        ("task_name.x=3", ("config.override-into-a-value", "'task_name'")),
        (
            "theseus_scheduler.replacing_rate=2",
            "'theseus_scheduler.replacing_rate' must be at most 1",
        ),
        ("data_dir=a\udcffb", "config.override-not-utf-8"),
    ],
)
def test_a_faulty_override_is_named(override, message, world):
    assert holds(world.report(override), message)


def test_every_value_knows_its_origin(world):
    loaded = world.load("seed=3")
    resolved = loaded.resolved()
    json.dumps(resolved)
    line = world.place("per_gpu_train_batch_size").split("line ")[1].split(",")[0]
    assert resolved["per_gpu_train_batch_size"] == {"value": 8, "origin": f"my.json:{line}"}
    assert resolved["seed"] == {"value": 3, "origin": "--set"}
    assert resolved["weight_decay"] == {"value": 0.01, "origin": "default"}
    assert resolved["theseus_scheduler.replacing_rate"]["origin"].startswith("my.json:")
    assert resolved["theseus_scheduler.train"] == {"value": "successors", "origin": "default"}
    assert resolved["teacher_architectures.model_name_or_path"]["value"] == "teacher"


def test_a_key_of_a_block_that_is_called_method_is_a_value_too(world):
    world.values["augmentation"] = {"method": "bilstm"}
    resolved = world.load().resolved()
    assert resolved["augmentation.method"]["value"] == "bilstm" and "method" not in resolved


def test_contradictions(world):
    cases = {
        ("fp16=true", "bf16=true"): "config.two-precisions",
        (
            "warmup_steps=10",
            "warmup_percentage=0.1",
        ): "config.two-warm-ups",
        ("do_train=false", "do_eval=false"): "config.nothing-to-do",
        ("do_eval=false", "keep=best"): "config.best-without-evaluation",
        ("do_eval=false", "patience=3"): "config.patience-without-evaluation",
        ("max_steps=0",): "config.max-steps-out-of-range",
    }
    for overrides, code in cases.items():
        with refused(code):
            world.load(*overrides)


def test_doubtful_values_are_warnings(world):
    cases = {
        ("max_steps=10",): "config.epochs-without-effect",
        ("do_eval=false", "eval_steps=5"): "config.eval-steps-without-effect",
        ("warmup_percentage=1",): "1 % is 0.01",
    }
    for overrides, message in cases.items():
        (warning,) = world.load(*overrides).warnings
        assert warning.severity == "warning" and holds(warning, message)


def test_the_shipped_example_lists_what_to_fill_in(world, monkeypatch):
    monkeypatch.chdir(EXAMPLE.parents[1])
    world.folder = EXAMPLE.parents[1]
    from chatstill.config import load

    with pytest.raises(UserError) as caught:
        load(EXAMPLE.relative_to(EXAMPLE.parents[1]), [], verb="distill")
    report = told(caught)
    assert holds(report, ("config.placeholder", "'teacher_architectures.model_name_or_path'"))
    assert "config/distill.example.1.json: line " in report
    left = ("config.placeholders-left", "student_architectures: model_name_or_path and config_file")
    assert holds(report, left)
    assert "configuration_file" not in report


def test_the_shipped_example_has_the_keys_of_the_specification_and_runs_once_filled_in(world):
    text = EXAMPLE.read_text(encoding="utf-8")
    values = json.loads(text)
    assert values["configuration_file"] == (
        "must feed this value when the distill type is not in the exist map"
    )
    assert values["theseus_scheduler"].items() >= {
        ("replacing_rate", 0.3),
        ("scheduler_type", "linear"),
        ("scheduler_linear_k", 0.0006),
    }
    loaded = world.load("teacher_architectures.model_name_or_path=teacher", text=text)
    assert loaded.config.configuration_file is None
    assert loaded.config.student_architectures.model_name_or_path is None
    assert all(problem.severity == "warning" for problem in loaded.warnings)


@pytest.mark.parametrize(
    "value", ["", "...", "…", "<path to the teacher>", "must feed this value: x"]
)
def test_a_placeholder_counts_as_not_filled_in(value, world):
    world.values["teacher_architectures"]["model_name_or_path"] = value
    (problem,) = world.problems()
    assert problem.code == "config.placeholder"
    assert problem.place == world.place("model_name_or_path")


def test_the_folders_here_and_above_are_no_placeholders(world):
    for split in ("train", "dev"):
        (world.folder / f"{split}.data.txt").write_text("a\tb\t1\n", encoding="utf-8")
    assert world.load("data_dir=.").config.data_dir == "."


def test_what_is_missing_is_named(world):
    for key in ("task_name", "output_dir", "model_type"):
        values = dict(world.values)
        del values[key]
        report = world.report(text=json.dumps(values))
        assert f"'{key}' is missing." in report
    del world.values["teacher_architectures"]
    report = world.report()
    assert "[teacher.block-missing]" in report and "'teacher_architectures'" in report
    assert '"model_name_or_path": "path/to/your/teacher"' in report


CODE = """
import sys
from pathlib import Path
from chatstill.config import load
from chatstill.errors import UserError
try:
    load(Path("my.json"), [], verb="distill")
except UserError as error:
    sys.exit(str(error))
print([name for name in ("torch", "transformers", "tokenizers", "scipy", "sklearn") if name in sys.modules])
"""


def test_the_first_report_imports_no_torch_and_creates_nothing(world):
    world.write()
    before = sorted(path.relative_to(world.folder) for path in world.folder.rglob("*"))
    source = EXAMPLE.parents[1] / "src"
    done = subprocess.run(
        [sys.executable, "-c", CODE],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(source), "PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"
    assert sorted(path.relative_to(world.folder) for path in world.folder.rglob("*")) == before


def test_the_documentation_names_every_key():
    text = (EXAMPLE.parents[1] / "docs" / "configuration.md").read_text(encoding="utf-8")
    keys = [*RunKeys.model_fields, *Architecture.model_fields]
    assert not [key for key in keys if f"`{key}`" not in text]


@pytest.mark.parametrize(
    ("key", "most"),
    {
        "seed": 2**32 - 1,
        "max_seq_length": 1_000_000,
        "student_architectures.num_labels": 100_000,
        "per_gpu_train_batch_size": 2**31 - 1,
        "save_steps": 2**31 - 1,
        "max_steps": 2**31 - 1,
        "num_train_epochs": 1_000_000,
    }.items(),
)
def test_numbers_have_a_largest_value_that_every_library_takes(world, key, most):
    assert holds(world.report(f"{key}={most + 1}"), ("config.wrong-value", f"'{key}'", f" {most},"))
    assert f"'{key}' must be" not in world.report(f"{key}={most}")
    assert holds(world.report(f"{key}={2**64}"), ("config.wrong-value", f"'{key}'", f" {most},"))
