"""The demo's four runs: a teacher, two small networks fine-tuned alone, and Theseus.

Each is an ordinary chatstill run of a configuration file in the work folder, so that one that was
interrupted goes on, and one that is finished is only read.
"""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import chat_corpus
from minilm import model_folder

if TYPE_CHECKING:
    from rich.console import Console

    from chatstill.config import Loaded

LAYERS = 3
MAX_TRAIN_ROWS = 2500
COMMON: dict[str, Any] = {
    "task_name": "chat",
    "max_seq_length": 32,
    "per_gpu_train_batch_size": 32,
    "warmup_percentage": 0.1,
    "logging_steps": 10,
    "eval_steps": 100_000,  # at the end only: scoring dev costs as much as a dozen steps
    "seed": 42,
}
# The students have the same number of epochs. Tried: learning rates 5e-5, 1e-4, 2e-4 and 3e-4 for the
# pretrained layers (1e-4 was best: MRR 0.73 against 0.66 at 2e-4); 1e-4, 2e-4 and 3e-4 for Theseus, three
# seeds each (means 0.814, 0.809 and 0.803).
TEACHER: dict[str, Any] = {"num_train_epochs": 5, "learning_rate": 1e-4}
ALONE: dict[str, Any] = {"num_train_epochs": 8, "learning_rate": 1e-4}
# Starts where Theseus starts: what replacing adds is what Theseus is better than this. Tried: 1e-4 (MRR
# 0.827) and 3e-4 (0.784).
TRUNCATED: dict[str, Any] = {"num_train_epochs": 8, "learning_rate": 1e-4}
THESEUS: dict[str, Any] = {
    "num_train_epochs": 8,
    "learning_rate": 1e-4,
    "theseus_scheduler": {
        "replacing_rate": 0.3,
        "scheduler_type": "linear",
        "scheduler_linear_k": "auto",
    },
}


@dataclass(frozen=True)
class Run:
    """One run of the demo.

    Attributes:
        name: As the table shows it.
        verb: ``teach`` or ``distill``.
        folder: The run folder; the configuration lies beside it.
        config: What the configuration file holds.
    """

    name: str
    verb: str
    folder: Path
    config: dict[str, Any]

    @property
    def file(self) -> Path:
        """The configuration file."""
        return self.folder.with_suffix(".json")

    @property
    def network(self) -> Path:
        """The folder of the trained network."""
        return self.folder / ("student" if self.verb == "distill" else "teacher")


def plan(work: Path) -> list[Run]:
    """The teacher, then the three students."""
    whole, cut = {"model_name_or_path": str(model_folder())}, {"num_hidden_layers": LAYERS}
    teacher = _run(work, "teacher", "teacher", "teach", TEACHER, teacher_architectures=whole)
    alone = _run(
        work,
        f"{LAYERS} layers alone",
        "alone",
        "teach",
        ALONE,
        teacher_architectures=whole | cut,
    )
    truncated = _run(
        work,
        f"{LAYERS} teacher layers",
        "truncated",
        "teach",
        TRUNCATED,
        teacher_architectures={"model_name_or_path": str(teacher.network)} | cut,
    )
    theseus = _run(
        work,
        f"{LAYERS} layers Theseus",
        "theseus",
        "distill",
        THESEUS,
        model_type="theseus",
        teacher_architectures={"model_name_or_path": str(teacher.network)},
        student_architectures=cut,
    )
    return [teacher, alone, truncated, theseus]


def _run(
    work: Path, name: str, folder: str, verb: str, settings: dict[str, Any], **more: Any
) -> Run:
    places = {"data_dir": str(work / "data"), "output_dir": str(work / folder)}
    return Run(name, verb, work / folder, {**COMMON, **settings, **more, **places})


def prepare_data(work: Path) -> dict[str, int]:
    """Writes the rows, if they are not there, and returns what was counted while doing so."""
    data = work / "data"
    counts = data / "counts.json"
    if not counts.is_file():
        found = chat_corpus.build(data, max_train_rows=MAX_TRAIN_ROWS)
        staging = data / ".counts.json.new"
        staging.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
        os.replace(staging, counts)
    read: dict[str, int] = json.loads(counts.read_text(encoding="utf-8"))
    return read


def load_run(run: Run) -> "Loaded":
    """Writes a run's configuration file and reads it as any user's."""
    from chatstill.config import load

    run.file.write_text(json.dumps(run.config, indent=2) + "\n", encoding="utf-8")
    return load(run.file, [], verb=run.verb)


def carry_out(run: Run, loaded: "Loaded", console: "Console", *, fresh: bool = False) -> bool:
    """Starts a run or goes on with it; False if it was finished before.

    Raises:
        UserError: its folder holds a run of another configuration.
    """
    from chatstill.run import run as pipeline
    from chatstill.run.fingerprint import run_fingerprint
    from chatstill.train.runfolder import RunFolder

    state = RunFolder(run.folder).state(run_fingerprint(loaded, run.verb), fresh=fresh)
    if state == "finished":
        return False
    train = pipeline.distill if run.verb == "distill" else pipeline.teach
    train(loaded, fresh=fresh, console=console)
    return True
