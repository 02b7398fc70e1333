"""Argument names of transformers' old ``run_glue.py``: they work, or one line says what replaced them."""

from dataclasses import dataclass
from typing import Literal

from ...errors import Problem
from ..places import KeyPath, dotted
from ..source import Source

TEACHER = "teacher_architectures"

RENAMED: dict[str, tuple[str, ...]] = {
    "train_batch_size": ("per_gpu_train_batch_size",),
    "per_device_train_batch_size": ("per_gpu_train_batch_size",),
    "eval_batch_size": ("per_gpu_eval_batch_size",),
    "per_device_eval_batch_size": ("per_gpu_eval_batch_size",),
    "predict_batch_size": ("per_gpu_eval_batch_size",),
    "max_length": ("max_seq_length",),
    "num_epochs": ("num_train_epochs",),
    "warmup_proportion": ("warmup_percentage",),
    "warmup_ratio": ("warmup_percentage",),
    "early_stopping_patience": ("patience",),
    "tokenizer_name": ("tokenizer_name_or_path",),
    "model_name_or_path": (TEACHER, "model_name_or_path"),
    "bert_model": (TEACHER, "model_name_or_path"),
    "config_name": (TEACHER, "config_file"),
    "no_cuda": ("training_arguments", "use_cpu"),
    "use_cpu": ("training_arguments", "use_cpu"),
    "rnn_config": ("student_architectures", "network"),
}
"""Old name -> the key that takes its value."""


@dataclass(frozen=True)
class Gone:
    """An old name whose value has no place here.

    Attributes:
        instead: What replaced it.
        harmless: Values that ask for nothing: no word is lost on them.
        fatal: Whether the run would not be what the user asked for.
    """

    instead: str
    harmless: tuple[object, ...] = (False, None, "")
    fatal: bool = False


_FILES = Gone("the task finds its files in data_dir (data_dir/<TASK> or data_dir).", fatal=True)
_ROWS = Gone("runs use all rows: cut the file itself to use fewer.", fatal=True)
_HUB = Gone("give a folder with the model instead; nothing is fetched with a token.", fatal=True)
_EVERY = Gone(
    "the student is evaluated after every epoch, or every eval_steps steps.", (False, "no")
)
_SAVES = Gone(
    "a checkpoint is written every 5 minutes, or every save_steps steps.", ("steps", "no")
)
_DEBUG = Gone("it is not needed and has no effect.", (None, "", False, -1, 0))

GONE: dict[str, Gone] = {
    "evaluate_during_training": _EVERY,
    "evaluation_strategy": _EVERY,
    "eval_strategy": _EVERY,
    "save_strategy": _SAVES,
    "logging_strategy": Gone("progress is logged every logging_steps steps.", ("steps",)),
    "eval_all_checkpoints": Gone(
        "the kept network is evaluated; `chatstill evaluate` does others."
    ),
    "do_predict": Gone("`chatstill predict model/ file.tsv` writes predictions.", fatal=True),
    "overwrite_output_dir": Gone("nothing is overwritten; --fresh moves an old run aside."),
    "overwrite_cache": Gone("prepared data are made anew by themselves when anything changed."),
    "fp16_opt_level": Gone('"fp16": true is enough.', (None, "", "O1")),
    "half_precision_backend": Gone('"fp16" or "bf16": true is enough.', (None, "auto")),
    "loss_scale": Gone("fp16 scales its loss by itself.", (None, 0)),
    "local_rank": Gone("the launcher (torchrun, accelerate launch) sets it.", (-1, None)),
    "n_gpu": Gone("all visible GPUs are used; CUDA_VISIBLE_DEVICES limits them.", (None, 0, 1)),
    "server_ip": _DEBUG,
    "server_port": _DEBUG,
    "logging_dir": Gone("logs and TensorBoard files lie in output_dir.", (None, "")),
    "use_fast": Gone("the tokenizer is always the fast one.", (None, True)),
    "use_fast_tokenizer": Gone("the tokenizer is always the fast one.", (None, True)),
    "pad_to_max_length": Gone(
        "rows are padded to the longest of their batch: same result, faster."
    ),
    "group_by_length": Gone("rows are always grouped by length."),
    "load_best_model_at_end": Gone('write "keep": "best".', fatal=True),
    "metric_for_best_model": Gone('"keep": "best" goes by the task\'s main metric.'),
    "greater_is_better": Gone('"keep": "best" goes by the task\'s main metric.', (None, True)),
    "resume_from_checkpoint": Gone("a run started again goes on from its last good checkpoint."),
    "train_file": _FILES,
    "validation_file": _FILES,
    "dev_file": _FILES,
    "test_file": _FILES,
    "dataset_name": _FILES,
    "dataset_config_name": _FILES,
    "max_train_samples": _ROWS,
    "max_eval_samples": _ROWS,
    "max_predict_samples": _ROWS,
    "model_revision": Gone(
        "give a folder with that version of the model.", (None, "main"), fatal=True
    ),
    "use_auth_token": _HUB,
    "token": _HUB,
    "trust_remote_code": Gone("code from a model's folder is never run.", fatal=True),
    "ignore_mismatched_sizes": Gone("tensors that do not fit are reported by name."),
    "tpu_num_cores": Gone("TPUs are not supported.", (None, 0), fatal=True),
    "adafactor": Gone('write "training_arguments": {"optim": "adafactor"}.', fatal=True),
}
"""Old name -> what replaced it."""


def translate(source: Source) -> list[Problem]:
    """Moves renamed keys to their place and takes out those that are gone, with a line for each.

    A value from ``--set`` goes before one of the file under the other name; two names for one value
    in the same place are an error.
    """
    problems: list[Problem] = []
    for old in [key for key in source.values if key in RENAMED or key in GONE]:
        if old in RENAMED:
            problems += _rename(source, old, RENAMED[old])
        else:
            problems += _remove(source, old, GONE[old])
    return problems


def merge(source: Source, old: KeyPath, new: KeyPath) -> Problem | None:
    """Moves a value to the key it belongs to.

    Returns:
        A problem if that key has a value of its own from the same place.
    """
    if source.has(new):
        ours, theirs = source.place(old), source.place(new)
        if (ours.origin == "--set") == (theirs.origin == "--set"):
            message = f"'{dotted(old)}' and '{dotted(new)}' name the same value ({theirs.where})."
            problem = source.problem(
                old, message, "Keep one of them.", code="config.two-names-of-one-key"
            )
            source.drop(old)
            return problem
        if theirs.origin == "--set":
            source.drop(old)
            return None
    if not isinstance(source.get(new[:-1]) or {}, dict):
        source.drop(old)
        return None
    source.move(old, new)
    return None


def _rename(source: Source, old: str, new: tuple[str, ...]) -> list[Problem]:
    message = f"'{old}' is an old name and is read as '{dotted(new)}'."
    note = source.problem((old,), message, warning=True, code="config.old-key")
    clash = merge(source, (old,), new)
    return [note if clash is None else clash]


def _remove(source: Source, old: str, gone: Gone) -> list[Problem]:
    value, place = source.get((old,)), source.place((old,))
    source.drop((old,))
    if any(
        value is word or (value == word and type(value) is type(word)) for word in gone.harmless
    ):
        return []
    severity: Literal["error", "warning"] = "error" if gone.fatal else "warning"
    end = "is not a key here" if gone.fatal else "has no effect"
    return [
        Problem(
            place.where, f"'{old}' {end}: {gone.instead}", "", severity, code="config.removed-key"
        )
    ]
