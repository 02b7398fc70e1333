"""``training_arguments``: which keys of transformers' ``TrainingArguments`` go through to it.

The known names are read from transformers' source text; importing it would cost seconds.
"""

import ast
import importlib.util
import sys
from functools import cache
from pathlib import Path

from ..errors import Problem
from ..registry.names import nearest
from .places import KeyPath
from .source import Source

BLOCK = "training_arguments"

AT_THE_TOP = {
    name: name
    for name in (
        "output_dir num_train_epochs max_steps learning_rate warmup_steps weight_decay adam_epsilon "
        "gradient_accumulation_steps max_grad_norm bf16 fp16 seed save_steps save_total_limit "
        "eval_steps logging_steps do_train do_eval per_gpu_train_batch_size per_gpu_eval_batch_size"
    ).split()
} | {
    "per_device_train_batch_size": "per_gpu_train_batch_size",
    "per_device_eval_batch_size": "per_gpu_eval_batch_size",
    "warmup_ratio": "warmup_percentage",
}
"""Keys that have their place at the top of the file, and its name there."""

_EVALUATION = "the engine evaluates the kept network after every epoch, or every eval_steps steps"
_SAVING = (
    "the engine writes its own complete checkpoints; save_steps and save_total_limit steer them"
)
_BEST = '"keep": "best" at the top of the file keeps the best by the task\'s main metric'
_GROUPING = (
    "the engine's own sampler groups rows by length, the same on every process and on resume"
)
_COUNTS = "the engine counts its loss terms over all processes and micro-batches itself"
_LOADING = "the engine reads, groups and shares out the rows itself"
_SERVICES = "figures go to no service; name the run by output_dir and note"
_UPLOAD = "nothing is ever uploaded"
_LAUNCHER = "the launcher (torchrun, accelerate launch) sets it"

OWNED = {
    "resume_from_checkpoint": "a run started again goes on from its last good checkpoint by itself",
    "remove_unused_columns": "methods read columns that the model does not know",
    "auto_find_batch_size": "the batch size changes the result: set per_gpu_train_batch_size",
    "ignore_data_skip": "a resumed run continues with exactly the rows that are left",
    "optim_target_modules": "the method decides which parameters are trained",
    "logging_strategy": "set logging_steps at the top of the file",
    "logging_nan_inf_filter": "a loss that is not finite stops the run with a message",
    "logging_dir": "logs and TensorBoard files lie in output_dir",
    "prediction_loss_only": _EVALUATION,
    "label_names": "the task says what its labels are",
    "label_smoothing_factor": "the method owns the loss",
    "average_tokens_across_devices": _COUNTS,
    "include_num_input_tokens_seen": _COUNTS,
    "data_seed": "the order of the rows follows from seed",
    "dataloader_drop_last": "every row is used in every epoch",
    "dataloader_in_order": "the order of the rows follows from seed",
    "do_predict": "`chatstill predict model/ file.tsv` writes predictions",
    "local_rank": _LAUNCHER,
    "report_to": "TensorBoard files and history.jsonl are always written",
    "disable_tqdm": "progress adapts to the terminal by itself",
    "ddp_find_unused_parameters": "the method decides it: modules take turns",
    "overwrite_output_dir": "--fresh moves an old run aside; nothing is overwritten",
    "adafactor": 'write "optim": "adafactor"',
    "no_cuda": 'write "use_cpu": true',
    "neftune_noise_alpha": "no method here adds noise to embeddings",
    "use_liger_kernel": "its kernels replace parts that the losses here look into",
    "liger_kernel_config": "its kernels replace parts that the losses here look into",
    "debug": "a loss that is not finite stops the run with a message",
}
OWNED |= dict.fromkeys(
    "eval_strategy evaluation_strategy eval_delay eval_on_start eval_do_concat_batches "
    "eval_use_gather_object eval_accumulation_steps include_for_metrics batch_eval_metrics "
    "bf16_full_eval fp16_full_eval".split(),
    _EVALUATION,
)
OWNED |= dict.fromkeys(
    "save_strategy save_only_model save_on_each_node save_safetensors enable_jit_checkpoint "
    "restore_callback_states_from_checkpoint".split(),
    _SAVING,
)
OWNED |= dict.fromkeys(
    "dataloader_num_workers dataloader_pin_memory dataloader_persistent_workers "
    "dataloader_prefetch_factor dataloader_multiprocessing_context accelerator_config".split(),
    _LOADING,
)
OWNED |= dict.fromkeys(
    "run_name project trackio_space_id trackio_bucket_id trackio_static_space_id".split(), _SERVICES
)
OWNED |= dict.fromkeys(
    "load_best_model_at_end metric_for_best_model greater_is_better".split(), _BEST
)
OWNED |= dict.fromkeys(
    "group_by_length length_column_name train_sampling_strategy".split(), _GROUPING
)
OWNED |= dict.fromkeys(
    "push_to_hub hub_token hub_private_repo hub_model_id hub_strategy hub_always_push "
    "hub_revision".split(),
    _UPLOAD,
)
"""Keys that the engine owns, and why."""


SWITCHES = ("bool", "bool | None")
"""Annotations of keys that transformers takes any value for: it asks only whether that counts as true."""

CHECKPOINTING = set(
    "use_reentrant preserve_rng_state determinism_check debug early_stop every_n_layers offload".split()
)
"""What torch and transformers take for computing activations again."""


def check_training_arguments(source: Source) -> list[Problem]:
    """Every key of the block that must not or cannot go through."""
    block = source.get((BLOCK,))
    if not isinstance(block, dict):
        return []
    source.drop((BLOCK, "note"))
    return [problem for key in block for problem in _of_argument(source, key, block[key])]


def _of_argument(source: Source, key: str, value: object) -> list[Problem]:
    path, known = (BLOCK, key), trainer_fields()
    if key in AT_THE_TOP:
        message = (
            f"'{key}' does not belong in {BLOCK}: the engine sets it from the top of the file."
        )
        hint = f"Set '{AT_THE_TOP[key]}' there."
        return [source.problem(path, message, hint, code="config.argument-of-the-top")]
    if key in OWNED:
        message = f"'{key}' is not for {BLOCK}: {OWNED[key]}."
        return [source.problem(path, message, "Remove it.", code="config.argument-of-the-engine")]
    if known and key not in known:
        near = nearest(key, sorted(passed_through()))
        message = f"transformers' TrainingArguments has no '{key}'."
        hint = f"Did you mean '{near}'?" if near else ""
        return [source.problem(path, message, hint, code="config.argument-unknown")]
    if _annotations().get(key) in SWITCHES and not isinstance(value, (bool, type(None))):
        message = f"'{key}' must be true or false."
        return [source.problem(path, message, code="config.argument-no-truth-value")]
    if key == "lr_scheduler_type" and value == "reduce_lr_on_plateau":
        message = f"'{key}': this schedule follows evaluations inside transformers' Trainer; {_EVALUATION}."
        hint = 'Take another one, such as "cosine", or "patience" at the top of the file.'
        return [source.problem(path, message, hint, code="config.schedule-by-evaluation")]
    if key in ("activation_checkpointing_kwargs", "gradient_checkpointing_kwargs"):
        return _again(source, path, value)
    return []


def _again(source: Source, path: KeyPath, value: object) -> list[Problem]:
    """How activations are computed again: an object, and not by torch's older way."""
    if value is None:
        return []
    if not isinstance(value, dict) or value.keys() - CHECKPOINTING:
        message = f"'{path[-1]}' must be an object with keys of {', '.join(sorted(CHECKPOINTING))}."
        return [source.problem(path, message, code="config.checkpointing-options")]
    if not value.get("use_reentrant"):
        return []
    message = (
        f"'{path[-1]}' asks for use_reentrant, which keeps no graph of the first pass: terms of attention "
        "would train nothing."
    )
    hint = "Leave it out: the other way does the same work, and is what is taken."
    return [source.problem(path, message, hint, code="config.reentrant-checkpointing")]


def owned_at_the_top(source: Source) -> list[Problem]:
    """Keys of ``TrainingArguments`` at the top of the file that the engine owns."""
    problems = []
    for key in [key for key in source.values if key in OWNED]:
        problems.append(
            source.problem(
                (key,),
                f"'{key}' is not a key here: {OWNED[key]}.",
                "Remove it.",
                code="config.key-of-the-engine",
            )
        )
        source.drop((key,))
    return problems


def passed_through() -> frozenset[str]:
    """Keys that ``training_arguments`` takes."""
    return trainer_fields() - OWNED.keys() - AT_THE_TOP.keys()


def trainer_fields() -> frozenset[str]:
    """Field names of ``TrainingArguments`` in the installed version; empty if it can't be found."""
    return frozenset(_annotations())


@cache
def _annotations() -> dict[str, str]:
    """What each of them is annotated with."""
    source = _source_of("training_args.py")
    for node in ast.parse(source or "").body:
        if isinstance(node, ast.ClassDef) and node.name == "TrainingArguments":
            return {
                item.target.id: ast.unparse(item.annotation)
                for item in node.body
                if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name)
            }
    return {}


@cache
def architectures() -> frozenset[str]:
    """``model_type`` of every architecture that the installed transformers knows; empty if unknown."""
    names: set[str] = set()
    for file in ("auto_mappings.py", "configuration_auto.py"):
        for node in ast.walk(ast.parse(_source_of(f"models/auto/{file}") or "")):
            names |= _mapping_names(node)
    return frozenset(names)


def _mapping_names(node: ast.AST) -> set[str]:
    """First items of ``CONFIG_MAPPING_NAMES = OrderedDict([("bert", "BertConfig"), ...])``."""
    if not isinstance(node, ast.Assign):
        return set()
    targets = [target.id for target in node.targets if isinstance(target, ast.Name)]
    if targets != ["CONFIG_MAPPING_NAMES"]:
        return set()
    return {
        pair.elts[0].value
        for pair in ast.walk(node.value)
        if isinstance(pair, ast.Tuple)
        and len(pair.elts) == 2
        and isinstance(pair.elts[0], ast.Constant)
        if isinstance(pair.elts[0].value, str)
    }


def _source_of(file: str) -> str | None:
    """Text of one file of the transformers package, which is found but not imported."""
    loaded = sys.modules.get("transformers")
    origin = getattr(loaded, "__file__", None)
    if origin is None:
        spec = importlib.util.find_spec("transformers")
        origin = spec.origin if spec is not None else None
    if origin is None:
        return None
    path = Path(origin).parent / file
    return path.read_text(encoding="utf-8") if path.is_file() else None
