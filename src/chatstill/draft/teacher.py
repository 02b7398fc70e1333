"""A model's folder: what it is, whether it answers a task already, and how long rows may be."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..config.near import means_hub, near_file
from ..config.weights import FROM_NOTHING, OF_A_READER, kind_of, read_json, weights_fault
from ..disk.json_file import parse_json
from ..disk.run_files import resolved_values
from ..errors import Problem, Said, UserError
from ..tasks.label_names import names_of_outputs
from ..text.tokenizers import resolve_tokenizer

LENGTHS = (16, 32, 48, 64, 96, 128, 192, 256, 384, 512)
DEPTHS = ("num_hidden_layers", "n_layers", "n_layer")
SHARED_LAYERS = ("albert", "t5", "mt5", "umt5", "longt5")


@dataclass(frozen=True)
class Model:
    """What a folder says of its model.

    Attributes:
        path: As it was named.
        kind: Its ``model_type``; empty for a name on the hub.
        layers: Its depth; 0 if unknown.
        outputs: Of its classifier; 0 without a trained one.
        positions: Longest row that it takes; 0 if unknown.
        seen: A line that says what was seen.
        positive: The class that counted where it was trained, as its folder says; empty if it does not.
        group: The column of the groups that it learnt to rank in, as its run says; empty if it does not.
    """

    path: str
    kind: str
    layers: int
    outputs: int
    positions: int
    seen: str
    positive: str = ""
    group: str = ""


def look_at_model(path: str) -> Model:
    """What a folder holds; of a name on the hub nothing but its name.

    Raises:
        UserError: there is no such folder, or it holds no model.
    """
    folder = Path(path)
    if kind_of(folder) != "folder":
        if not kind_of(folder) and means_hub(path):
            near = near_file(path)
            seen = f"model: {path}, no folder here, taken as a name on the hub, not looked at"
            hint = f". {near}" if near.startswith("Did you mean") else ""
            return Model(path, "", 0, 0, 0, seen + hint)
        hint = "Name the folder with config.json and the weights, or a name on the hub."
        hint += f" {FROM_NOTHING}" if folder.name in OF_A_READER and folder.is_file() else ""
        raise UserError(
            Problem(
                path,
                "there is no such folder.",
                f"{near_file(path)} {hint}",
                code="draft.no-such-folder",
            )
        )
    fault = weights_fault(folder)
    values, found = read_json(folder / "config.json")
    if fault is not None or values is None:
        unread = Said(f"{folder / 'config.json'} {found}.", code="network.config-unreadable")
        said = fault or unread
        raise UserError(Problem(path, said.message, said.hint, code=said.code))
    kind = str(values.get("model_type", ""))
    layers = next((n for key in DEPTHS if (n := _count(values, key))), 0)
    outputs = _outputs(folder, values)
    what = f"a classifier of {outputs} outputs" if outputs > 1 else "a scorer of one output"
    what = what if outputs else "pre-trained, without a classifier"
    seen = f"model: {path}, {kind or 'of unknown type'}, {layers} layers, {what}"
    counts = (values.get("chatstill") or {}).get("positive_label")
    positive = counts if outputs and isinstance(counts, str) else ""
    ranked = resolved_values(folder.parent).get("data.group") if outputs else None
    group = ranked if isinstance(ranked, str) else ""
    positions = _count(values, "max_position_embeddings")
    return Model(path, kind, layers, outputs, positions, seen, positive, group)


def _count(values: dict, key: str) -> int:
    """A whole number of a ``config.json``; 0 where it holds none."""
    found = values.get(key)
    return found if isinstance(found, int) and not isinstance(found, bool) and found > 0 else 0


def _outputs(folder: Path, values: dict) -> int:
    """Outputs of a trained classifier: the class that was saved has one, or its tensors are there."""
    names = _tensor_names(folder)
    classes = values.get("architectures")
    saved = [str(name) for name in classes] if isinstance(classes, list) else []
    by_class = any(name.endswith("ForSequenceClassification") for name in saved)
    by_tensor = any(name.startswith(("classifier.", "score.")) for name in names)
    if not (by_tensor if names else by_class):
        return 0
    labels = names_of_outputs(values, str(folder), str(folder / "config.json"))
    return len(labels) or _count(values, "num_labels") or 2


def _tensor_names(folder: Path) -> Sequence[str]:
    """Names in a safetensors file's header; empty for other weights."""
    file = folder / "model.safetensors"
    if not file.is_file():
        return ()
    with file.open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        return tuple(parse_json(stream.read(length)))  # weights_fault has read it before


@dataclass(frozen=True)
class Length:
    """How many tokens a row may have, and why."""

    value: int
    comment: str


def length_for(model: Model, texts: Sequence[tuple[str, str | None]]) -> Length | None:
    """A length that leaves 99 % of the sampled rows whole; None where no tokenizer is at hand."""
    if not model.kind or not texts:
        return None
    try:
        tokenizer = resolve_tokenizer(None, model.path, None)
    except UserError:
        return None
    first, second = zip(*texts, strict=True)
    pairs = any(second)
    encoded = tokenizer(list(first), [text or "" for text in second] if pairs else None)
    lengths = np.array([len(ids) for ids in encoded["input_ids"]])
    wanted = int(np.quantile(lengths, 0.99))
    most = model.positions or LENGTHS[-1]
    value = min(next((n for n in LENGTHS if n >= wanted), LENGTHS[-1]), most)
    cut = float((lengths > value).mean())
    comment = f"tokens: half of {len(lengths):,} rows have at most {int(np.median(lengths))}, "
    return Length(value, f"{comment}99 % at most {wanted}; {100 * cut:.1f} % are cut")
