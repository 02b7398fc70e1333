"""What must hold between the keys of one configuration."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ..errors import Problem
from .compat.placeholders import optional_left
from .extremes import extreme_keys
from .places import KeyPath, dotted
from .schema import RunKeys
from .source import Source

TRAINING = ("distill", "teach", "check")
TEACHER, PRETRAINED = "teacher_architectures", "pretrained_architectures"
TEACHERS = {
    "task": TEACHER,
    "pretraining": PRETRAINED,
}  # the block that names the teacher, by level
_WHAT: dict[KeyPath, str] = {
    ("task_name",): "For example: chat, sst2, mrpc, stsb, qqp, mnli, qnli, rte, wnli, cola; corpus "
    "for text without labels.",
    ("output_dir",): "The folder that will hold everything of this run.",
    ("data_dir",): "The folder with the task's files.",
    (TEACHER, "model_name_or_path"): "The folder, file or hub name of the fine-tuned teacher "
    "(`chatstill teach` makes one).",
    (
        PRETRAINED,
        "model_name_or_path",
    ): "The folder, file or hub name of the pre-trained model that teaches.",
}
_PATHS = {TEACHER: "path/to/your/teacher", PRETRAINED: "path/to/the/pretrained/model"}


def paste(blocks: Mapping[str, Any]) -> str:
    """Blocks as text that can be pasted between the keys of a file."""
    return json.dumps(blocks, indent=2, ensure_ascii=False)[2:-2]


def missing(
    keys: RunKeys,
    source: Source,
    unfilled: dict[KeyPath, Problem],
    faulty: set[KeyPath],
    *,
    verb: str,
    teacher: str | None,
) -> list[Problem]:
    """Keys that the verb needs and that are not there, and placeholders that it can do without.

    Args:
        keys: As read.
        source: The file.
        unfilled: Placeholders that were left.
        faulty: Paths whose values are at fault.
        verb: It decides what is needed.
        teacher: The block that names the teacher; None where none is needed.
    """
    described = source.has(("data",))
    needed: set[KeyPath] = {("task_name",)} if verb != "predict" and not described else set()
    needed |= {("data_dir",)} if verb != "predict" and ("data_dir",) in unfilled else set()
    if verb in TRAINING:
        needed.add(("output_dir",))
    if verb in TRAINING and teacher is not None and keys.do_train:
        needed.add((teacher, "model_name_or_path"))
    taught = keys.teacher_architectures
    if verb == "teach" and taught is not None and taught.config_file is not None:
        needed.discard((TEACHER, "model_name_or_path"))
    problems = []
    for path in sorted(needed, key=str):
        at_fault = any(bad[: len(path)] == path[: len(bad)] for bad in faulty)
        if source.get(path) is not None or at_fault:
            continue
        if path in unfilled:
            problems.append(replace(unfilled[path], hint=_WHAT[path]))
        elif path[0] in TEACHERS.values() and not source.has(path[:1]):
            name = str(path[0])
            block = {name: {"model_name_or_path": _PATHS[name]}}
            hint = f"Paste it beside the other keys and fill it in:\n{paste(block)}"
            problems.append(
                Problem(
                    source.name,
                    f"the block '{path[0]}' is missing.",
                    hint,
                    code="teacher.block-missing",
                )
            )
        else:
            place = source.place(path).where
            hint = _WHAT[path]
            if verb == "evaluate" and path == ("task_name",):
                hint = "Name it: --task-name chat, or give the run's file: --config my.json."
            problems.append(
                Problem(place, f"'{dotted(path)}' is missing.", hint, code="config.key-missing")
            )
    return problems + (optional_left(unfilled, needed) if verb != "augment" else [])


def consistency(keys: RunKeys, source: Source, *, verb: str) -> list[Problem]:
    """Values that contradict each other, and keys without effect."""
    problems = []
    if keys.fp16 and keys.bf16:
        message = "'fp16' and 'bf16' are both true; a run has one precision."
        problems.append(
            source.problem(
                ("bf16",), message, "Keep bf16 where the GPU has it.", code="config.two-precisions"
            )
        )
    if keys.warmup_steps and keys.warmup_percentage:
        message = "'warmup_steps' and 'warmup_percentage' are both set."
        problems.append(
            source.problem(
                ("warmup_percentage",), message, "Keep one of them.", code="config.two-warm-ups"
            )
        )
    if (keys.warmup_percentage or 0) == 1:
        message = "'warmup_percentage' is a share from 0 to 1; at 1 the rate only ever rises."
        problems.append(
            source.problem(
                ("warmup_percentage",),
                message,
                "1 % is 0.01.",
                warning=True,
                code="config.warm-up-of-all-steps",
            )
        )
    if verb in ("distill", "check") and not keys.do_train and not keys.do_eval:
        message = "'do_train' and 'do_eval' are both false: there is nothing to do."
        problems.append(
            source.problem(
                ("do_train",), message, "Set one of them to true.", code="config.nothing-to-do"
            )
        )
    if verb == "teach" and not keys.do_train:
        message = "'do_train' is false: `chatstill teach` trains, or it does nothing."
        problems.append(
            source.problem(
                ("do_train",),
                message,
                "Use `chatstill evaluate model/`.",
                code="config.teach-without-training",
            )
        )
    if verb in ("distill", "check") and keys.do_train:
        problems += _pretrained(keys, source)
    if verb in TRAINING:
        problems += [*_without_effect(keys, source), *extreme_keys(keys, source)]
    return problems


def starts_pretrained(keys: RunKeys) -> bool:
    """Whether the student starts as layers of the pre-trained model."""
    student = keys.student_architectures
    if student is None or student.model_name_or_path is not None:
        return False
    return student.copy_from == "pretrained"


def _pretrained(keys: RunKeys, source: Source) -> list[Problem]:
    pretrained = keys.pretrained_architectures
    if not starts_pretrained(keys) or (
        pretrained is not None and pretrained.model_name_or_path is not None
    ):
        return []
    path = ("student_architectures", "copy_from")
    message = (
        "the student starts as layers of the pre-trained model (copy_from), and "
        "'pretrained_architectures.model_name_or_path' is missing."
    )
    block = {"pretrained_architectures": {"model_name_or_path": "path/to/the/pretrained/model"}}
    hint = (
        f"Paste it beside the other keys and fill it in:\n{paste(block)}\n"
        'or start from the teacher: "student_architectures": {"copy_from": "teacher"}; a student of another '
        'width has random weights: "copy_from": "none".'
    )
    return [source.problem(path, message, hint, code="student.pretrained-missing")]


def _without_effect(keys: RunKeys, source: Source) -> list[Problem]:
    problems = []
    if keys.compare_direct and not keys.pipeline:
        message = "'compare_direct' has no effect without a pipeline."
        problems.append(
            source.problem(
                ("compare_direct",),
                message,
                warning=True,
                code="chain.compare-direct-without-pipeline",
            )
        )
    if not keys.do_eval and keys.do_train:
        if keys.keep == "best":
            message = "'keep' is \"best\", but 'do_eval' is false: nothing tells which is the best."
            problems.append(
                source.problem(
                    ("keep",),
                    message,
                    'Set "do_eval": true.',
                    code="config.best-without-evaluation",
                )
            )
        if keys.patience is not None:
            message = "'patience' stops by the dev score, but 'do_eval' is false."
            problems.append(
                source.problem(
                    ("patience",),
                    message,
                    'Set "do_eval": true.',
                    code="config.patience-without-evaluation",
                )
            )
        if keys.eval_steps is not None:
            message = "'eval_steps' has no effect while 'do_eval' is false."
            problems.append(
                source.problem(
                    ("eval_steps",), message, warning=True, code="config.eval-steps-without-effect"
                )
            )
    if keys.max_steps == 0 or keys.max_steps < -1:
        message = f"'max_steps' is {keys.max_steps}: it must be above 0, or -1 to go by epochs."
        problems.append(
            source.problem(("max_steps",), message, code="config.max-steps-out-of-range")
        )
    if keys.max_steps > 0 and source.written(("num_train_epochs",)):
        message = "'num_train_epochs' has no effect: 'max_steps' is set and decides."
        problems.append(
            source.problem(
                ("num_train_epochs",), message, warning=True, code="config.epochs-without-effect"
            )
        )
    return problems
