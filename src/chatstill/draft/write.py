"""A configuration as text, with a comment behind what needs one."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..disk.write import create_text
from ..errors import Problem, UserError
from .beside import is_training
from .known import draft_known
from .table import Drafted, draft_table
from .teacher import SHARED_LAYERS, Model, length_for, look_at_model

Key = tuple[str, Any, str]


def draft(data: Path, model: str, output: Path | None) -> tuple[Path, list[str]]:
    """Writes a configuration for the data and the model.

    Args:
        data: A training file, or a folder with the files of a built-in task or a train file.
        model: Folder of a fine-tuned teacher, or of a pre-trained model to make one of.
        output: The file to write; default ``distill.jsonc`` or ``teach.jsonc``.

    Returns:
        The file, and lines that say what was seen.

    Raises:
        UserError: what can't be read or told, and a file that exists.
    """
    problems: list[Problem] = []
    found: list[Any] = []
    for look in (lambda: _look_at_data(data), lambda: look_at_model(model)):
        try:
            found.append(look())
        except UserError as error:
            problems += error.problems
    if problems:
        raise UserError(problems)
    drafted, teacher = found
    fits = _fits(drafted, teacher)
    drafted.keys = _grouped(drafted, teacher) if fits else drafted.keys
    target = output or Path("distill.jsonc" if fits else "teach.jsonc")
    hint = "Name another file with --output, or remove this one yourself."
    taken = UserError(
        Problem(str(target), "exists; nothing was written.", hint, code="draft.target-exists")
    )
    if os.path.lexists(target):
        raise taken
    keys = _distill(drafted, teacher) if fits else _teach(drafted, teacher)
    folder = next(value for key, value, _ in keys if key == "output_dir")
    again = "" if fits else f"chatstill init {data} {Path(folder) / 'teacher'}"
    head = _head(target, again)
    try:
        create_text(target, to_text(keys, head))
    except FileExistsError:
        raise taken from None
    untold = "rows are not ranked: ", "f1 is left out: "  # where names alone would have to tell
    told = any(key == "positive_label" for key, *_ in keys)
    seen = [line for line in drafted.seen if not (told and line.startswith(untold))]
    seen.append(teacher.seen)
    if teacher.outputs and not fits:
        seen.append(f"the data need {drafted.num_outputs} outputs: it is a teacher of another task")
    return target, [*seen, *(line.removeprefix("// ") for line in head)]


def _look_at_data(data: Path) -> Drafted:
    if not data.exists():
        raise UserError(
            Problem(str(data), "there is no such file or folder.", code="draft.no-such-data")
        )
    known = draft_known(data)
    if known is not None:
        return known
    if data.is_file():
        return draft_table(data)
    files = sorted(file for file in data.iterdir() if file.is_file() and is_training(file.stem))
    if not files:
        names = ", ".join(sorted(entry.name for entry in data.iterdir())[:8]) or "nothing"
        hint = "Name the training file itself."
        raise UserError(
            Problem(
                str(data),
                f"no training file in it; it holds {names}.",
                hint,
                code="draft.no-training-file",
            )
        )
    return draft_table(files[0])


def _head(target: Path, again: str) -> list[str]:
    verb = "teach" if again else "distill"
    lines = [f"// Check it: chatstill check {target}", f"// Run it:   chatstill {verb} {target}"]
    if again:
        lines.append(f"// It makes a teacher. Then, for the student: {again}")
    lines.append(
        "// learning_rate and num_train_epochs go by network and rows: the plan says what is taken"
    )
    return [*lines, "// All keys: docs/configuration.md"]


def _common(drafted: Drafted, model: Model, folder: str) -> list[Key]:
    length = length_for(model, drafted.texts)
    keys: list[Key] = [
        *_counting(drafted, model),
        ("output_dir", _free(folder), "everything of this run"),
    ]
    keys.append(
        ("max_seq_length", length.value, length.comment) if length else ("max_seq_length", 128, "")
    )
    return keys


def _counting(drafted: Drafted, model: Model) -> list[Key]:
    """The keys of the data; the class that counts is a teacher's, whatever the names of the classes say."""
    told = any(
        key == "positive_label" and value == model.positive for key, value, _ in drafted.keys
    )
    if told or not _fits(drafted, model) or model.positive not in drafted.classes:
        return drafted.keys
    kept = [key for key in drafted.keys if key[0] != "positive_label"]
    return [*kept, ("positive_label", model.positive, "the class that counted for the teacher")]


def _grouped(drafted: Drafted, model: Model) -> list[Key]:
    """The keys of the data, with the groups that a teacher ranked in where the table has their column."""
    block: dict[str, Any] = next((value for key, value, _ in drafted.keys if key == "data"), {})
    if not block or "group" in block or model.group not in drafted.columns:
        return drafted.keys
    comment = "rows of one group are ranked against each other, as where the teacher was trained"
    block = block | {"group": (model.group, comment)}
    return [(k, block, c) if k == "data" else (k, v, c) for k, v, c in drafted.keys]


def _fits(drafted: Drafted, model: Model) -> bool:
    """Whether a model is a teacher of the data."""
    return model.outputs == drafted.num_outputs or (model.outputs, drafted.num_outputs) == (1, 2)


# learning_rate and num_train_epochs are not among them: width, start and rows decide (``usual``).
_TRAINING: list[Key] = [
    ("per_gpu_train_batch_size", 32, "rows of each process"),
    ("keep", "best", 'on the dev set; "last" keeps the last step'),
    ("seed", 42, ""),
]


def _distill(drafted: Drafted, model: Model) -> list[Key]:
    depth, comment = _depth(model.layers)
    shares = model.kind in SHARED_LAYERS or not depth
    theseus = not (shares or drafted.unlabeled or drafted.without)
    keys: list[Key] = []
    if theseus:
        keys.append(("model_type", "theseus-bert", "the method; others: chatstill list methods"))
    elif shares:
        keys.append(("model_type", "KD", f"{model.kind} shares its layers, which Theseus replaces"))
    elif drafted.unlabeled:
        keys.append(("model_type", "KD", f"it learns from the rows of {drafted.unlabeled} too"))
    else:
        keys.append(("model_type", "KD", f"{drafted.without}: it learns from them too"))
    keys += _common(drafted, model, f"output_{drafted.name}")
    keys.append(("teacher_architectures", {"model_name_or_path": (model.path, "")}, ""))
    if not shares:
        said = comment if theseus else f"of the teacher's {model.layers}"
        keys.append(("student_architectures", {"num_hidden_layers": (depth, said)}, ""))
    if theseus:
        scheduler = {
            "replacing_rate": (0.3, "at the first step"),
            "scheduler_linear_k": ("auto", "1 at half of the training"),
        }
        keys.append(("theseus_scheduler", scheduler, ""))
    else:
        keys.append(("distillation", {}, "the terms are those of the method's file"))
    return [*keys, *_TRAINING]


def _teach(drafted: Drafted, model: Model) -> list[Key]:
    keys = _common(drafted, model, f"output_{drafted.name}_teacher")
    for key, value, _ in keys:
        if key == "data":  # gold labels are all that a teacher learns from
            value.pop("unlabeled", None)
    if drafted.without:
        keys.append(("skip_unlabeled", True, f"{drafted.without}, which a teacher needs"))
    keys.append(
        ("teacher_architectures", {"model_name_or_path": (model.path, "where it starts from")}, "")
    )
    return [*keys, *_TRAINING]


def _depth(layers: int) -> tuple[int, str]:
    """The largest share of the layers, half of them at most, that all modules have equally."""
    depth = next((d for d in range(layers // 2, 0, -1) if layers % d == 0), 0)
    return depth, f"of the teacher's {layers}; each replaces {layers // depth}" if depth else ""


def _free(name: str) -> str:
    """The name, or the first with a number behind it that is not taken."""
    number, found = 1, name
    while Path(found).exists():
        number += 1
        found = f"{name}_{number}"
    return found


def to_text(keys: Sequence[Key], head: Sequence[str]) -> str:
    """JSON with comments: keys at the top of a file, blocks as key -> (value, comment)."""
    lines = [*head, "{"]
    for number, (key, value, comment) in enumerate(keys):
        comma = "," if number < len(keys) - 1 else ""
        if isinstance(value, dict):
            lines += _block(key, value, comment, comma)
        else:
            lines.append(_line(f"  {json.dumps(key)}: {_json(value)}{comma}", comment))
    return "\n".join([*lines, "}", ""])


def _block(key: str, inner: dict[str, tuple[Any, str]], comment: str, comma: str) -> list[str]:
    if not inner:
        return [_line(f"  {json.dumps(key)}: {{}}{comma}", comment)]
    lines = [_line(f"  {json.dumps(key)}: {{", comment)]
    for number, (name, (value, words)) in enumerate(inner.items()):
        end = "," if number < len(inner) - 1 else ""
        lines.append(_line(f"    {json.dumps(name)}: {_json(value)}{end}", words))
    return [*lines, f"  }}{comma}"]


def _line(text: str, comment: str) -> str:
    return f"{text}  // {' '.join(comment.split())}" if comment else text


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
