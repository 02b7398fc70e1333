"""The fingerprint of a run: everything that changes the weights, by content and not by path."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import __version__
from ..config.task import task_of
from ..data.fingerprint import file_sha256
from ..disk.json_file import known_object
from ..models.networks import network
from ..models.networks.base import Network, SegmentedBlock
from ..registry.hub import fetched_folder
from ..tasks import get_task
from ..tasks.base import Split
from ..tasks.corpus import CorpusTask
from ..tasks.files import locate, parts
from ..text.segment import JIEBA, PIECES, WORDS, segmenter_version
from ..train.launch import world_size
from ..train.runfolder import COVERS, ON_HUB, SELECTS
from .usual_values import RULES

if TYPE_CHECKING:
    from ..config import Loaded
    from ..config.schema import Architecture, RunConfig
    from ..tasks.base import Task

# These decide where files lie, what is printed and how often something is saved, not the weights.
# Paths of data and models stand in the fingerprint by the content of their files.
NOT_WEIGHTS = frozenset(
    "note output_dir cache_dir data_dir plugins pipeline compare_direct compare_alone do_train do_eval "
    "augmentation use_augmented "  # the rows themselves are compared
    "groups positive_label selection_metric skip_unlabeled "  # what they change of the weights stands below
    "allow_weak_teacher save_steps save_total_limit logging_steps label_noise per_gpu_eval_batch_size "
    "teacher_architectures student_architectures pretrained_architectures "
    "tokenizer_name_or_path configuration_file method level "
    "per_gpu_train_batch_size teacher_cache_budget_gb predictions_texts".split()
)
ROLES = ("teacher_architectures", "student_architectures", "pretrained_architectures")
SPLITS: tuple[Split, ...] = ("train", "dev")
PARTS = frozenset(
    "config.json tokenizer.json tokenizer_config.json special_tokens_map.json added_tokens.json "
    "vocab.txt vocab.json merges.txt".split()
)
WEIGHTS = (".safetensors", ".bin", ".model")
# Names under which transformers' tokenizers read more; which of them one does read is its class's matter.
MORE_PARTS = frozenset(
    "tekken.json bpe.codes vocab.bpe encoder.json dict.txt emoji.json entity_vocab.json normalizer.json "
    "word_shape.json word_pronunciation.json byte_maps.json vocab-src.json vocab-tgt.json target_vocab.json "
    "prophetnet.tokenizer words.json user_dictionary.txt".split()
)
MORE_ENDINGS = (".model", ".spm", ".tokenizer", ".tiktoken", ".vocab")


def content_of(path: str | None) -> Any:
    """sha256 of the files of a model or tokenizer; a hub name stands for itself.

    What lies beside a single file may be read too: a vocabulary, or the architecture. Files that runs did not
    record from the start stand under ``also`` (see ``train.runfolder``).
    """
    if path is None:
        return None
    place = Path(path)
    if not place.exists():
        return {"name": path}
    folder = place if place.is_dir() else place.parent
    files = sorted(p for p in folder.iterdir() if p.is_file())
    endings = WEIGHTS if place.is_dir() else ()
    read = [p for p in files if p.name in PARTS or p.suffix in endings]
    found: dict[str, Any] = {p.name: file_sha256(p) for p in read if p.name != "training_args.bin"}
    if place.is_file():
        found["file"] = file_sha256(place)
    more = MORE_PARTS | _named_files(folder)
    also = [p for p in files if p not in read and (p.name in more or p.suffix in MORE_ENDINGS)]
    return {**found, "also": {p.name: file_sha256(p) for p in also}} if also else found


def _named_files(folder: Path) -> frozenset[str]:
    """Files that a tokenizer's configuration names, wherever in it."""
    names: set[str] = set()
    left: list[Any] = [known_object(folder / "tokenizer_config.json")]
    while left:
        value = left.pop()
        if isinstance(value, dict):
            left += value.values()
        elif isinstance(value, list):
            left += value
        elif isinstance(value, str) and len(value) < 256 and not value.endswith(WEIGHTS[:2]):
            names.add(Path(value).name)
    return frozenset(names)


def content_of_split(task: Task, path: Path, split: Split, labelled: bool = True) -> str:
    """sha256 of every file that a split is read from, or what the task itself says of its rows."""
    known = task.fingerprint(path, split)
    if known is not None:
        return known
    return "-".join(file_sha256(part) for part in parts(task, path, split, labelled))


def rows_fingerprint(task: Task, path: Path, split: Split, labelled: bool) -> str:
    """Of the rows of a split and of how they are read."""
    content = content_of_split(task, path, split, labelled)
    return f"{task.name}-{split}-{labelled}-{content}{task.reading}"


def hub_contents(config: RunConfig) -> dict[str, Any]:
    """By name, the content of what was loaded from the hub, networks and tokenizers; call afterwards."""
    blocks = [getattr(config, role) for role in ROLES]
    named = [config.tokenizer_name_or_path]
    for block in blocks:
        if block is not None:
            named += [block.model_name_or_path, block.config_file, block.tokenizer_name_or_path]
    names = {name for name in named if name and not Path(name).exists()}
    found = {name: fetched_folder(name, config.cache_dir) for name in sorted(names)}
    return {f"{ON_HUB}{name}": content_of(str(place)) for name, place in found.items() if place}


def _architecture(block: Architecture | None) -> Any:
    if block is None:
        return None
    start = {
        key: getattr(block, key) for key in ("copy_from", "copy_layers") if hasattr(block, key)
    }
    if block.num_labels is not None:
        start["num_labels"] = block.num_labels
    if (ours := network(block.model_type)) is not None:
        start["network"] = _of_network(ours, block)
    return start | {
        "model_type": block.model_type,
        "weights": content_of(block.model_name_or_path),
        "config_file": content_of(block.config_file),
        "tokenizer": content_of(block.tokenizer_name_or_path),
        "num_hidden_layers": block.num_hidden_layers,
    }


def _of_network(ours: type[Network], block: Architecture) -> dict[str, Any]:
    """The keys of a network of the package: files by content, and the version of what cuts words.

    The words themselves follow from these and from the training rows.
    """
    keys = ours.Block.model_validate(block.network or {})
    values = keys.model_dump(mode="json", exclude={"note", *ours.places})
    for key, file in ours.files(keys).items():
        values[key] = file_sha256(Path(file)) if Path(file).is_file() else file
    if isinstance(keys, SegmentedBlock) and keys.segmenter != PIECES:
        names = [keys.segmenter] if keys.segmenter else [JIEBA, WORDS]
        values["segmenter versions"] = {name: segmenter_version(name) for name in names}
    return values


def _selects(config: RunConfig) -> bool:
    """Whether the figures on dev decide which weights are kept."""
    best = config.keep == "best" or (config.keep is None and config.do_eval)
    return best or config.patience is not None


def _flat(prefix: str, value: Any) -> dict[str, Any]:
    """Nested objects as ``a.b.c`` keys, so that a difference names the place."""
    if isinstance(value, dict):
        out: dict[str, Any] = {}
        for key, item in value.items():
            out.update(_flat(f"{prefix}.{key}", item))
        return out
    return {prefix: value}


def _of_rules(config: RunConfig) -> dict[str, Any]:
    """By which rules the values are taken that the file leaves out."""
    warm_up = (config.warmup_steps, config.warmup_percentage) != (None, None) or None
    left_out = (config.learning_rate, config.num_train_epochs, config.keep, warm_up)
    return {"rules of usual values": RULES} if None in left_out else {}


def _of_method(loaded: Loaded) -> dict[str, Any]:
    """The knobs of the method, and the content of the files that they name."""
    knobs = loaded.config.method
    if knobs is None:
        return {}
    values = _flat("method", knobs.deciding())
    files = loaded.trains.files(knobs, loaded.config.plugins) if loaded.trains is not None else {}
    named = {key: Path(file) for key, file in files.items()}
    return values | {
        f"method.{key}": file_sha256(file) for key, file in named.items() if file.is_file()
    }


def run_fingerprint(loaded: Loaded, verb: str) -> dict[str, Any]:
    """Flat mapping; equal for two runs that train the same weights."""
    config: RunConfig = loaded.config
    task = task_of(config)
    values = {"verb": verb, "global_batch": config.per_gpu_train_batch_size * world_size()}
    values[COVERS] = "all files of tokenizers"
    values[SELECTS] = _selects(config)
    for key, value in config.model_dump(mode="json").items():
        if key not in NOT_WEIGHTS and (key != "eval_steps" or _selects(config)):
            values.update(_flat(key, value))
    values.update(_of_rules(config))
    values.update(_of_method(loaded))
    for role in ROLES:
        values.update(_flat(role, _architecture(getattr(config, role))))
    values.update(_flat("tokenizer", content_of(config.tokenizer_name_or_path)))
    for number, name in enumerate(config.plugins):
        values[f"plugins.{number}"] = file_sha256(Path(name)) if Path(name).is_file() else name
    if config.data is not None:
        # The first is never trained on nor selected by, notes and names of rows are read by nobody; the
        # content of the further rows is data.train's.
        for key in ("data.test", "data.note", "data.unlabeled", "data.id"):
            values.pop(key, None)
        values["data.labels"] = list(task.labels.names)
    if config.groups != "neighbours" and _selects(config):
        values["groups"] = config.groups
    if config.selection_metric is not None and _selects(config):
        values["selection_metric"] = config.selection_metric
    if task.ranking and len(task.labels.names) > 2 and task.labels.positive is not None:
        values["positive_label"] = task.labels.positive
    return values | _of_rows(loaded, task)


def _of_rows(loaded: Loaded, task: Task) -> dict[str, str]:
    """The content of the rows that are trained on, by their kinds, and of those of dev."""
    config, trains, values = loaded.config, loaded.trains, dict[str, str]()
    knobs = config.method if trains is None or config.method is not None else trains.Config()
    kinds = ("train",) if trains is None else trains.data_of(knobs)
    labelled = trains is None or config.skip_unlabeled or trains.all_labelled(knobs)
    # Where all rows must have a label, `skip_unlabeled` decides whether there is a run, not its weights.
    if trains is not None and (
        trains.skips_unlabelled(knobs) or (config.skip_unlabeled and not trains.all_labelled(knobs))
    ):
        values["rows without label"] = "left out"
    folder = Path(config.data_dir)
    files = {split: locate(task, split, folder).path for split in SPLITS}
    if "train" in kinds:
        values["data.train"] = content_of_split(task, files["train"], "train", labelled)
    if "texts" in kinds:  # the transfer set's are among them
        values["data.texts"] = content_of_split(task, files["train"], "train", False)
    values["data.dev"] = content_of_split(task, files["dev"], "dev", labelled)
    for split in SPLITS if "corpus" in kinds else ():
        values[f"data.corpus.{split}"] = file_sha256(
            locate(get_task(CorpusTask.name), split, folder).path
        )
    return values


def run_facts() -> dict[str, Any]:
    """Versions, threads and seeds' surroundings: recorded, not compared."""
    import accelerate
    import numpy
    import tokenizers
    import torch
    import transformers

    return {
        "versions": {
            "chatstill": __version__,
            "python": platform.python_version(),
            "torch": torch.__version__,
            "transformers": transformers.__version__,
            "accelerate": accelerate.__version__,
            "tokenizers": tokenizers.__version__,
            "numpy": numpy.__version__,
            "threads": str(torch.get_num_threads()),
            "processes": str(world_size()),
        },
        "machine": {"system": platform.platform(), "cores": os.cpu_count()},
    }
