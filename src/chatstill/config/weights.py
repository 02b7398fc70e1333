"""A network's files, looked at without torch: what is there, whole, and of a kind that can be loaded.

Pickles are never run: their instructions are read as data, which shows the classes they would make.
"""

import re
import zipfile
from pathlib import Path
from typing import Any, BinaryIO

from ..disk.json_file import MOST_BYTES, JsonFault, fault_of, parse_json, read_object
from ..errors import Said
from .pickles import foreign_classes

HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?")
WEIGHT_FILES = ("model.safetensors", "pytorch_model.bin")
INDEX_FILES = ("model.safetensors.index.json", "pytorch_model.bin.index.json")
TOKENIZER_FILES = (
    "tokenizer.json",
    "vocab.txt",
    "vocab.json",
    "words.json",
    "tokenizer.model",
    "spiece.model",
    "spm.model",
    "sentencepiece.bpe.model",
    "sentencepiece.model",
)
_PICKLE_ENDINGS = (".pkl", ".pickle", ".pt", ".pth", ".joblib", ".ckpt")

FROM_PICKLE = (
    "Where it was made, save its tensors alone: "
    "torch.save(model.state_dict(), 'pytorch_model.bin'), or model.save_pretrained('folder')."
)
FROM_TENSORFLOW = (
    "Convert it once, with an environment that has TensorFlow and 'transformers<5': "
    "BertForSequenceClassification.from_pretrained('folder', from_tf=True)"
    ".save_pretrained('new-folder'); for an original BERT checkpoint (bert_model.ckpt) first "
    "`transformers-cli convert --model_type bert --tf_checkpoint bert_model.ckpt "
    "--config bert_config.json --pytorch_dump_output pytorch_model.bin`."
)
_FROM_FLAX = (
    "Convert it once with 'transformers<5' and flax: from_pretrained('folder', from_flax=True)"
    ".save_pretrained('new-folder')."
)
_ADAPTER = ("adapter_model.", "adapter_config.")
_SHARD = re.compile(r"-\d+-of-\d+\.(safetensors|bin)$")
_FROM_ADAPTER = (
    "Merge it into the network it was trained for, and name that folder: "
    "model.merge_and_unload().save_pretrained('merged')."
)
_FROM_LFS = "Fetch the file itself: `git lfs pull` in that folder."


def looks_like_hub_name(name: str) -> bool:
    """``bert-base-chinese`` or ``org/name``; not a path and not a file."""
    is_file = Path(name).suffix in (
        *_PICKLE_ENDINGS,
        ".bin",
        ".safetensors",
        ".h5",
        ".json",
        ".txt",
    )
    return bool(HUB_NAME.fullmatch(name)) and not is_file


def kind_of(path: Path) -> str:
    """``file``, ``folder`` or an empty text; never raises."""
    try:
        return "folder" if path.is_dir() else "file" if path.is_file() else ""
    except (OSError, ValueError):
        return ""


def read_json(path: Path) -> tuple[dict[str, Any] | None, str]:
    """The JSON object of a file, whatever its ending, or what is wrong with it."""
    try:
        return read_object(path), ""
    except (OSError, ValueError) as error:
        return None, fault_of(error)


OF_A_READER = frozenset(
    ("config.json", "vocab.txt", "vocab.json", "tokenizer.json", "spiece.model")
)
FROM_NOTHING = (
    "`chatstill teach` trains a teacher from random weights and such files: docs/choosing.md, A teacher "
    "from random weights."
)


def weights_fault(path: Path) -> Said | None:
    """What is wrong with the weights at a path that exists, and the way out; None if nothing is."""
    return _folder_fault(path) if path.is_dir() else _file_fault(path)


def _folder_fault(folder: Path) -> Said | None:
    for name in INDEX_FILES:
        if (folder / name).is_file():
            return _index_fault(folder, name)
    for name in WEIGHT_FILES:
        if (folder / name).is_file():
            return _file_fault(folder / name)
    names = sorted(entry.name for entry in folder.iterdir())
    return _foreign_fault(folder, names) or _unnamed_fault(folder, names)


def _foreign_fault(folder: Path, names: list[str]) -> Said | None:
    """A folder that holds weights of another program, of an adapter alone, or a part of them."""
    if any(name.endswith((".ckpt.index", ".h5")) or "ckpt" in name for name in names):
        return Said(
            f"the folder {folder} holds a TensorFlow checkpoint.",
            FROM_TENSORFLOW,
            code="weights.folder-of-tensorflow",
        )
    if "flax_model.msgpack" in names:
        return Said(
            f"the folder {folder} holds Flax weights.", _FROM_FLAX, code="weights.folder-of-flax"
        )
    if any(name.startswith(_ADAPTER) for name in names):
        return Said(
            f"the folder {folder} holds an adapter (LoRA) and no full weights.",
            _FROM_ADAPTER,
            code="weights.folder-of-an-adapter",
        )
    if shards := [name for name in names if _SHARD.search(name)]:
        found = f"the folder {folder} holds parts of weights ({shards[0]}) and no index of them."
        return Said(
            found, f"Copy {' or '.join(INDEX_FILES)} too.", code="weights.parts-without-index"
        )
    return None


def _unnamed_fault(folder: Path, names: list[str]) -> Said:
    """A folder without weights of a usual name."""
    for name in names:
        if name.endswith((".safetensors", ".bin")) and not name.startswith(
            ("training_args", "opt")
        ):
            return Said(
                f"the folder {folder} holds no {WEIGHT_FILES[0]}.",
                f"Name the file: {folder / name}",
                code="weights.named-otherwise",
            )
    if any(name.endswith(_PICKLE_ENDINGS) for name in names):
        return Said(
            f"the folder {folder} holds a pickled model, which is not loaded.",
            FROM_PICKLE,
            code="weights.folder-of-a-pickle",
        )
    inside = with_weights(folder)
    if inside != folder:
        return Said(
            f"the folder {folder} holds no weights itself.",
            f"Did you mean {inside}?",
            code="weights.folder-in-the-folder",
        )
    shown = f"It holds: {', '.join(names[:8])}." if names else "It is empty."
    return Said(
        f"the folder {folder} holds no weights ({' or '.join(WEIGHT_FILES)}).",
        f"{shown} {FROM_NOTHING}" if OF_A_READER & set(names) else shown,
        code="weights.folder-without-weights",
    )


def with_weights(folder: Path) -> Path:
    """The folder that holds a network: this one, or ``student/`` or ``teacher/`` in it; else this one."""
    for inside in (folder, folder / "student", folder / "teacher"):
        if any(kind_of(inside / name) for name in (*INDEX_FILES, *WEIGHT_FILES)):
            return inside
    return folder


def _index_fault(folder: Path, name: str) -> Said | None:
    index, fault = read_json(folder / name)
    if index is None:
        return Said(f"{folder / name} {fault}.", "", code="weights.index-unreadable")
    shards = index.get("weight_map")
    if not isinstance(shards, dict) or not shards:
        return Said(f"{folder / name} lists no weights.", "", code="weights.index-lists-none")
    absent = sorted({str(shard) for shard in shards.values()} - {p.name for p in folder.iterdir()})
    if absent:
        return Said(
            f"the folder {folder} lacks {', '.join(absent[:4])}, which {name} lists.",
            "Copy all its files.",
            code="weights.parts-missing",
        )
    for shard in sorted({str(shard) for shard in shards.values()}):
        if found := _file_fault(folder / shard):
            return found
    return None


def _file_fault(path: Path) -> Said | None:
    if path.name.endswith((".h5", ".index", ".meta")) or ".ckpt.data" in path.name:
        return Said(
            f"{path} is a TensorFlow checkpoint.", FROM_TENSORFLOW, code="weights.tensorflow-file"
        )
    if path.suffix == ".msgpack":
        return Said(f"{path} holds Flax weights.", _FROM_FLAX, code="weights.flax-file")
    if path.suffix in _PICKLE_ENDINGS:
        return Said(
            f"{path} is a pickle, which is not loaded; weights are .safetensors or .bin.",
            FROM_PICKLE,
            code="weights.pickle-file",
        )
    if path.suffix not in (".safetensors", ".bin"):
        return Said(
            f"{path} is no weights file.",
            "Weights are a folder, one .safetensors or one .bin file.",
            code="weights.no-weights-file",
        )
    if path.name.startswith(_ADAPTER):
        return Said(
            f"{path} is an adapter (LoRA), no full weights.",
            _FROM_ADAPTER,
            code="weights.adapter-file",
        )
    try:
        with path.open("rb") as stream:
            start = stream.read(64)
            if not start:
                return Said(f"{path} is empty.", "Copy it again.", code="weights.file-empty")
            if start.startswith(b"version https://git-lfs"):
                return Said(
                    f"{path} is only a pointer of git-lfs.", _FROM_LFS, code="weights.lfs-pointer"
                )
            if path.suffix == ".safetensors":
                return _safetensors_fault(path, stream)
        return _pickle_fault(path, start)
    except OSError as error:
        return Said(
            f"{path} can't be read: {error.strerror or error}.", "", code="weights.file-unreadable"
        )


def _safetensors_fault(path: Path, stream: BinaryIO) -> Said | None:
    """The header says how long the file is."""
    size = stream.seek(0, 2)
    stream.seek(0)
    length = int.from_bytes(stream.read(8), "little")
    if size < 8 or length > min(size, MOST_BYTES):
        return Said(
            f"{path} is cut off or no safetensors file.",
            "Copy it again.",
            code="weights.safetensors-cut-off",
        )
    try:
        header = parse_json(stream.read(length))
        ends = [
            int(entry["data_offsets"][1])
            for name, entry in header.items()
            if name != "__metadata__"
        ]
    except JsonFault as error:
        return Said(
            f"{path} is no safetensors file: its header {error}.",
            "Copy it again.",
            code="weights.safetensors-header-faulty",
        )
    except (ValueError, TypeError, KeyError, IndexError, AttributeError):
        return Said(
            f"{path} is no safetensors file: its header can't be read.",
            "Copy it again.",
            code="weights.safetensors-header-unreadable",
        )
    wanted = 8 + length + max(ends, default=0)
    if wanted != size:
        return Said(
            f"{path} has {size} bytes where its header says {wanted}.",
            "Copy it again.",
            code="weights.safetensors-wrong-size",
        )
    return None


def _pickle_fault(path: Path, start: bytes) -> Said | None:
    if not start.startswith((b"PK", b"\x80")):
        return Said(
            f"{path} is no file that torch.save wrote.",
            "Copy it again, or save it anew.",
            code="weights.not-of-torch-save",
        )
    try:
        strange = sorted(foreign_classes(path))
    except (zipfile.BadZipFile, EOFError, ValueError, KeyError, IndexError):
        return Said(f"{path} is damaged or cut off.", "Copy it again.", code="weights.file-damaged")
    if strange:
        what = f"{path} is a whole pickled model (it names {strange[0]}), which is not loaded."
        return Said(what, FROM_PICKLE, code="weights.whole-pickled-model")
    return None
