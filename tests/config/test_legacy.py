"""Argument names of the old run_glue.py work, or one line says what replaced them."""

import pytest

from chatstill.config.compat.legacy import GONE, RENAMED
from chatstill.config.schema import RunKeys
from tests.found import holds, refused

OLD_RUN_GLUE = """
data_dir model_type model_name_or_path task_name output_dir config_name tokenizer_name cache_dir
max_seq_length do_train do_eval evaluate_during_training do_lower_case per_gpu_train_batch_size
per_gpu_eval_batch_size gradient_accumulation_steps learning_rate weight_decay adam_epsilon max_grad_norm
num_train_epochs max_steps warmup_steps logging_steps save_steps eval_all_checkpoints no_cuda
overwrite_output_dir overwrite_cache seed fp16 fp16_opt_level local_rank server_ip server_port
""".split()
LATER_AND_OLDER = """
per_device_train_batch_size per_device_eval_batch_size train_batch_size eval_batch_size max_length
warmup_proportion warmup_ratio bert_model loss_scale do_predict pad_to_max_length use_fast_tokenizer
evaluation_strategy train_file validation_file test_file max_train_samples model_revision use_auth_token
early_stopping_patience load_best_model_at_end logging_dir
""".split()


def test_every_old_name_is_known():
    known = RENAMED.keys() | GONE.keys() | RunKeys.model_fields.keys()
    assert not [name for name in OLD_RUN_GLUE + LATER_AND_OLDER if name not in known]
    assert not (RENAMED.keys() | GONE.keys()) & RunKeys.model_fields.keys()


@pytest.mark.parametrize(
    ("old", "value", "new"),
    [
        ("per_device_train_batch_size", 4, "per_gpu_train_batch_size"),
        ("train_batch_size", 4, "per_gpu_train_batch_size"),
        ("eval_batch_size", 4, "per_gpu_eval_batch_size"),
        ("max_length", 64, "max_seq_length"),
        ("warmup_proportion", 0.1, "warmup_percentage"),
        ("early_stopping_patience", 3, "patience"),
        ("tokenizer_name", "teacher", "tokenizer_name_or_path"),
    ],
)
def test_a_renamed_argument_works_and_says_its_new_name(old, value, new, world):
    world.values.pop(new, None)
    world.values[old] = value
    loaded = world.load()
    assert getattr(loaded.config, new) == value
    (warning,) = loaded.warnings
    assert holds(warning, ("config.old-key", f"'{old}'", f"'{new}'"))
    assert warning.place == world.place(old)


def test_the_model_of_the_old_script_is_the_teacher(world):
    del world.values["teacher_architectures"]["model_name_or_path"]
    world.values |= {"model_name_or_path": "teacher", "no_cuda": True}
    config = world.load().config
    assert config.teacher_architectures.model_name_or_path == "teacher"
    assert config.training_arguments == {"use_cpu": True}


def test_old_and_new_name_together(world):
    world.values["train_batch_size"] = 4
    (problem,) = world.problems()
    assert (
        problem.code == "config.two-names-of-one-key"
        and "'train_batch_size'" in problem.message
        and "'per_gpu_train_batch_size'" in problem.message
    )
    assert problem.severity == "error"


def test_set_under_an_old_name_goes_before_the_file(world):
    assert world.load("train_batch_size=4").config.per_gpu_train_batch_size == 4


@pytest.mark.parametrize("old", sorted(GONE))
def test_a_name_that_is_gone_gets_one_line(old, world):
    world.values[old] = "something" if old != "group_by_length" else True
    (problem,) = world.problems()
    assert f"'{old}'" in problem.message
    assert problem.place == world.place(old)
    assert problem.severity == ("error" if GONE[old].fatal else "warning")


@pytest.mark.parametrize(
    ("old", "value"),
    [
        ("local_rank", -1),
        ("evaluate_during_training", False),
        ("server_ip", ""),
        ("fp16_opt_level", "O1"),
    ],
)
def test_a_default_of_the_old_script_is_passed_over(old, value, world):
    world.values[old] = value
    assert world.load().warnings == []


@pytest.mark.parametrize(
    ("key", "message", "hint"),
    [
        ("output_dir", "config.argument-of-the-top", "Set 'output_dir' there."),
        (
            "per_device_train_batch_size",
            "config.argument-of-the-top",
            "Set 'per_gpu_train_batch_size' there.",
        ),
        ("load_best_model_at_end", '"keep": "best" at the top', "Remove it."),
        ("resume_from_checkpoint", "last good checkpoint", "Remove it."),
        ("group_by_length", "the engine's own sampler groups rows", ""),
        ("remove_unused_columns", "methods read columns", ""),
        ("auto_find_batch_size", "set per_gpu_train_batch_size", ""),
        ("save_only_model", "complete checkpoints", ""),
        ("ignore_data_skip", "exactly the rows that are left", ""),
        ("optim_target_modules", "the method decides", ""),
        ("push_to_hub", "nothing is ever uploaded", ""),
        ("lr_sheduler_type", "config.argument-unknown", "mean 'lr_scheduler_type'?"),
    ],
)
def test_training_arguments_that_do_not_go_through(key, message, hint, world):
    world.values["training_arguments"] = {key: 1}
    found = [p for p in world.problems() if p.severity == "error"]
    assert len(found) == 1
    assert holds(found[0], message)
    assert hint in found[0].hint
    line = world.place("training_arguments").split("line ")[1].split(",")[0]
    assert f"line {int(line) + 1}, column 5" in found[0].place


def test_a_key_that_the_engine_owns_at_the_top(world):
    with refused("config.key-of-the-engine", "'push_to_hub'"):
        world.load("push_to_hub=true")
