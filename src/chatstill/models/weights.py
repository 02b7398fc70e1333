"""Finding and reading weights: safetensors or tensors-only .bin files, nothing that runs code."""

import pickle
import re
import zipfile
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from ..disk.json_file import fault_of, known_object, read_object
from ..errors import Problem, UserError
from .refusals import refuse_foreign_file, refuse_foreign_folder, refuse_pickle

# In order of preference; an index file lists the shards of a large model.
WEIGHT_FILES = (
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
)
# What other programs put around a network: DataParallel and torch.compile.
WRAPPERS = ("module.", "_orig_mod.")
# Keys under which training scripts put a network's tensors beside other state.
NESTED = ("state_dict", "model_state_dict")
# Tensors of one file may share their numbers, as tied embeddings do; the copies do not.
MOST_SHARING = 8
HUB_NAME = re.compile(r"^[\w][\w.-]*(/[\w][\w.-]*)?$")


@dataclass(frozen=True)
class Weights:
    """Weights on this machine (``files``), or a name on the hub (``hub_name``).

    Attributes:
        files: One file, or the shards of one model.
        folder: Where config.json and the tokenizer are expected; None for a hub name.
        hub_name: Such as ``bert-base-uncased``; None for local weights.
    """

    files: tuple[Path, ...] = ()
    folder: Path | None = None
    hub_name: str | None = None


def find_weights(path: str, place: str) -> Weights:
    """Locates weights without reading them.

    Args:
        path: A folder, a .safetensors or .bin file, or a hub name.
        place: Where the path was given, for messages: ``teacher_architectures.model_name_or_path``.

    Raises:
        UserError: nothing there, a TensorFlow or Flax checkpoint, a shard that is missing.
    """
    local = Path(path).expanduser()
    if local.is_dir():
        return Weights(_files_of_folder(local, place), local)
    refuse_foreign_file(local, place)
    if local.is_file():
        return Weights((local,), local.parent)
    if HUB_NAME.match(path) and not path.endswith((".bin", ".safetensors")):
        return Weights(hub_name=path)
    raise UserError(
        Problem(
            place,
            f"there is no file or folder {path}",
            "Give a folder with model.safetensors or pytorch_model.bin, one such file, or a name "
            "on the "
            "Hugging Face hub. Relative paths count from the working directory.",
            code="weights.missing",
        )
    )


def _files_of_folder(folder: Path, place: str) -> tuple[Path, ...]:
    for name in WEIGHT_FILES:
        if (folder / name).is_file():
            if name.endswith(".index.json"):
                return _shards(folder / name, place)
            return (folder / name,)
    refuse_foreign_folder(folder, place)
    begun = (folder / "run.json").is_file() and (folder / "checkpoints").is_dir()
    if begun or known_object(folder / "run.json").get("state") == "running":
        message = f"{folder} is the folder of a run that has not ended: it holds no network yet"
        hint = (
            "Start the run again with its configuration, and it goes on from its last checkpoint; or end it "
            f"with that: chatstill finish {folder}"
        )
        if not begun:
            hint = (
                "It was stopped before its first checkpoint: start it again with its configuration."
            )
        raise UserError(Problem(place, message, hint, code="run.not-ended"))
    seen = sorted(item.name for item in folder.iterdir())
    listing = ", ".join(seen[:12]) + (" ..." if len(seen) > 12 else "") or "nothing"
    raise UserError(
        Problem(
            place,
            f"no weights in {folder}: expected model.safetensors or pytorch_model.bin; it holds "
            f"{listing}",
            "Name another folder, or the weights file itself if it is called something else.",
            code="weights.none-in-the-folder",
        )
    )


def _shards(index: Path, place: str) -> tuple[Path, ...]:
    try:
        names = {str(name) for name in read_object(index)["weight_map"].values()}
    except (OSError, ValueError) as error:
        raise UserError(
            Problem(place, f"{index} {fault_of(error)}", code="weights.index-unreadable")
        ) from None
    except (KeyError, AttributeError):
        message = f"{index} is not an index of weight files: it has no block weight_map"
        raise UserError(Problem(place, message, code="weights.index-without-map")) from None
    files = tuple(index.parent / Path(name).name for name in sorted(names))
    missing = [file.name for file in files if not file.is_file()]
    if missing or not files:
        raise UserError(
            Problem(
                place,
                f"{index} lists {len(files)} files, missing: {', '.join(missing) or 'all'}",
                "Copy the missing files into the folder.",
                code="weights.parts-missing",
            )
        )
    return files


def read_tensors(weights: Weights, place: str) -> dict[str, Tensor]:
    """All tensors of local weights, on the CPU, floating point ones as float32, own memory.

    Names lose ``module.`` and ``_orig_mod.`` in front.

    Raises:
        UserError: a damaged file, a pickled model, something that is no network.
    """
    tensors: dict[str, Tensor] = {}
    for file in weights.files:
        _refuse_pointer(file, place)
        found = _read_safetensors(file, place) if _is_safetensors(file) else _read_bin(file, place)
        _refuse_too_large(found, file, place)
        found = {name: _own_float32(tensor, name, file, place) for name, tensor in found.items()}
        tensors.update({_plain_name(name): tensor for name, tensor in found.items()})
    return tensors


def _plain_name(name: str) -> str:
    while name.startswith(WRAPPERS):
        name = name.split(".", 1)[1]
    return name


def _own_float32(tensor: Tensor, name: str, file: Path, place: str) -> Tensor:
    # A copy in any case: tensors of a mapped file must not follow a file that is overwritten later.
    # Contiguous: converted TensorFlow checkpoints hold transposed views, which cannot be saved.
    kind = torch.float32 if tensor.is_floating_point() else tensor.dtype
    try:
        copy = torch.empty(tensor.shape, dtype=kind)
        return copy.copy_(tensor)
    except (RuntimeError, NotImplementedError) as error:
        raise _damaged(file, place, f"{name}: {error}") from None


def _refuse_too_large(tensors: dict[str, Tensor], file: Path, place: str) -> None:
    """Only plain tensors are copied, and none that says it is larger than what the file holds of it.

    Raises:
        UserError: with the tensor's name.
    """
    size = file.stat().st_size
    most = MOST_SHARING * size + 8_000_000
    for name, tensor in tensors.items():
        if (what := _no_plain(tensor, most)) is not None:
            message = f"{file}: {name} is {what}; only plain (dense) tensors are read"
            hint = "Save it dense: `tensor.to_dense().contiguous()` in the state_dict, then save again."
            raise UserError(Problem(place, message, hint, code="weights.tensor-not-plain"))
    claimed = sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())
    if claimed > most:
        message = f"{file} has {size:,} bytes, and its tensors claim {claimed:,}"
        hint = "The file is no network's weights as they are saved; save the state_dict() again."
        raise UserError(Problem(place, message, hint, code="weights.claims-too-much"))


def _no_plain(tensor: Tensor, most: int) -> str | None:
    """What a tensor is that cannot be copied number by number, into at most so many bytes."""
    if tensor.is_nested:
        return "nested"
    if tensor.layout is not torch.strided:
        return f"sparse ({str(tensor.layout).removeprefix('torch.')})"
    if tensor.is_quantized:
        return f"quantized ({str(tensor.dtype).removeprefix('torch.')})"
    if tensor.device.type != "cpu":
        return "without values (saved from the meta device)"
    held = tensor.untyped_storage().nbytes()
    if tensor.numel() * tensor.element_size() > max(held, most):
        return f"of {tensor.numel():,} numbers, of which the file holds {held // tensor.element_size():,}"
    return None


def _is_safetensors(file: Path) -> bool:
    return file.suffix == ".safetensors"


def _read_safetensors(file: Path, place: str) -> dict[str, Tensor]:
    try:
        with safe_open(file, framework="pt", device="cpu") as handle:
            return {name: handle.get_tensor(name) for name in handle.keys()}
    except (SafetensorError, RuntimeError, ValueError, TypeError, OverflowError) as error:
        raise _damaged(file, place, str(error)) from None


def _read_bin(file: Path, place: str) -> dict[str, Tensor]:
    _refuse_packed(file, place)
    try:
        loaded = torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if not _is_pickle(file):
            raise _damaged(file, place, "it is no PyTorch file") from None
        raise refuse_pickle(file, place, str(error)) from None
    except (RuntimeError, EOFError, ValueError, KeyError, UnicodeDecodeError) as error:
        raise _damaged(file, place, str(error)) from None
    for key in NESTED:
        if isinstance(loaded, dict) and isinstance(loaded.get(key), dict):
            loaded = loaded[key]
    tensors = {
        name: value
        for name, value in (loaded.items() if isinstance(loaded, dict) else ())
        if isinstance(name, str) and isinstance(value, Tensor)
    }
    if not tensors:
        raise UserError(
            Problem(
                place,
                f"{file} holds no named tensors at its top level, so it is not a network's weights",
                "Save the network's state_dict() alone, best with save_pretrained.",
                code="weights.no-named-tensors",
            )
        )
    return tensors


def _refuse_packed(file: Path, place: str) -> None:
    """torch.save does not compress; what unpacks to more than the file may fill the memory."""
    if not zipfile.is_zipfile(file):
        return
    try:
        with zipfile.ZipFile(file) as archive:
            unpacked = sum(item.file_size for item in archive.infolist())
    except (zipfile.BadZipFile, ValueError, NotImplementedError):
        return  # torch says what it is
    if unpacked > file.stat().st_size:
        raise _damaged(file, place, f"it is compressed, and would unpack to {unpacked:,} bytes")


def _is_pickle(file: Path) -> bool:
    with file.open("rb") as handle:
        return handle.read(2) in (b"PK", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")


def _refuse_pointer(file: Path, place: str) -> None:
    with file.open("rb") as handle:
        start = handle.read(64)
    if start.startswith(b"version https://git-lfs"):
        raise UserError(
            Problem(
                place,
                f"{file} is a Git LFS pointer of {file.stat().st_size} bytes, not the weights",
                "Run `git lfs pull` in its repository, or download the file itself.",
                code="weights.lfs-pointer",
            )
        )


def _damaged(file: Path, place: str, reason: str) -> UserError:
    first = reason.strip().splitlines()[0] if reason.strip() else "unexpected end"
    return UserError(
        Problem(
            place,
            f"{file} ({file.stat().st_size} bytes) cannot be read as weights: {first}",
            "The file is damaged, cut short or of another format; copy or download it again.",
            code="weights.file-unreadable",
        )
    )
