"""Weights in formats that are not read, each refused with the way to convert it."""

import re
from pathlib import Path

from ..errors import Problem, UserError

TF_HINT = (
    "Convert it once in an environment with transformers 4 and tensorflow: "
    '`python -c "from transformers import BertConfig, BertForPreTraining as M; '
    "M.from_pretrained('{index}', from_tf=True, "
    "config=BertConfig.from_json_file('bert_config.json'))"
    ".save_pretrained('converted')\"`, then give the folder `converted`."
)
OTHER_HINT = (
    "Convert it once in an environment with transformers 4 and {package}: "
    '`python -c "from transformers import AutoModel; '
    "AutoModel.from_pretrained('{folder}', {flag}=True).save_pretrained('converted')\"`, then "
    "give the "
    "folder `converted`."
)
MORE_FORMATS = {".onnx": "ONNX", ".gguf": "GGUF", ".pb": "TensorFlow graph", ".tflite": "TFLite"}


def refuse_foreign_file(path: Path, place: str) -> None:
    """Refuses a path that names a checkpoint of TensorFlow, Flax or another runtime.

    ``bert_model.ckpt`` names no file: TensorFlow writes ``.ckpt.index``, ``.ckpt.meta``,
    ``.ckpt.data-...``.

    Raises:
        UserError: with the way to convert it.
    """
    name = path.name
    stem = re.sub(r"\.(index|meta|data-\d+-of-\d+)$", "", name)
    index = path.with_name(stem + ".index")
    if stem != name or index.is_file():
        hint = TF_HINT.format(index=index)
        raise _refusal(place, path, "a TensorFlow checkpoint", hint)
    if path.suffix == ".h5":
        hint = OTHER_HINT.format(package="tensorflow", folder=path.parent, flag="from_tf")
        raise _refusal(place, path, "a TensorFlow (Keras) checkpoint", hint)
    if path.suffix == ".msgpack":
        hint = OTHER_HINT.format(package="flax", folder=path.parent, flag="from_flax")
        raise _refusal(place, path, "a Flax checkpoint", hint)
    if path.suffix in MORE_FORMATS:
        hint = "Give the weights it was made from: model.safetensors or pytorch_model.bin."
        raise _refusal(place, path, f"a file of the {MORE_FORMATS[path.suffix]} format", hint)


def refuse_foreign_folder(folder: Path, place: str) -> None:
    """Refuses a folder whose only weights are of TensorFlow or Flax, or only an adapter.

    Raises:
        UserError: with the way to convert it.
    """
    for pattern in ("*.ckpt.index", "*.h5", "*.msgpack", "*.onnx", "*.gguf"):
        for file in sorted(folder.glob(pattern)):
            refuse_foreign_file(file, place)
    if any(folder.glob("adapter_model.*")):
        hint = "Merge it first: `model.merge_and_unload().save_pretrained('merged')`."
        raise _refusal(place, folder, "a folder with an adapter (LoRA) and no full weights", hint)


def refuse_pickle(file: Path, place: str, reason: str) -> UserError:
    """The error for a .bin file that holds more than tensors; loading it could run its code."""
    found = re.search(r"GLOBAL ([\w.]+)", reason)
    name = f" ({found[1]})" if found else ""
    what = f"holds pickled objects{name}, not only tensors"
    hint = (
        "If you trust the file, convert it once where it was made: "
        f"`import torch; model = torch.load('{file.name}', weights_only=False)`, then "
        "`model.save_pretrained('converted')` (writes safetensors), or for a model that is not "
        "transformers' own `from safetensors.torch import save_model; save_model(model, "
        "'model.safetensors')`."
    )
    return UserError(
        Problem(
            place,
            f"{file} {what}; loading that can run code, so it is refused",
            hint,
            code="weights.runs-code",
        )
    )


def _refusal(place: str, path: Path, what: str, hint: str) -> UserError:
    return UserError(
        Problem(
            place,
            f"{path} is {what}; only PyTorch weights are read",
            hint,
            code="weights.of-another-program",
        )
    )
