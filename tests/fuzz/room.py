"""A folder with everything that a small run needs, made anew for each case, and what may be left in it.

A door is called in this process. It must end by itself within ``LONGEST`` seconds with a known exit
code; an exception that comes out of it fails the test, and so does what it leaves half-written.
"""

import contextlib
import json
import logging
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from chatstill import cli

from ..cases import tried
from ..path import world

LONGEST = 60
LEFT_OVER = (".part", ".new", ".tmp")


class HangsError(BaseException):
    """A door did not end. Not an Exception, so that nothing on the way catches it."""


@dataclass(frozen=True)
class Template:
    """What every case starts from."""

    folder: Path
    values: dict


def make_template(folder: Path) -> Template:
    """Chat, SST-2 and STS-B rows, a teacher of each number of outputs, and a configuration."""
    for write in (world.write_chat, world.write_sst2, world.write_stsb):
        write(folder / "data", train=4, dev=4)
    for outputs in (1, 2, 3):
        world.build_network(folder / f"teacher{outputs}", layers=2, outputs=outputs)
    values = {
        "model_type": "theseus-bert",
        "task_name": "chat",
        "data_dir": "data",
        "output_dir": "out",
        "teacher_architectures": {"model_type": "bert", "model_name_or_path": "teacher2"},
        "student_architectures": {"num_hidden_layers": 1},
        "theseus_scheduler": {
            "replacing_rate": 0.3,
            "scheduler_type": "linear",
            "scheduler_linear_k": "auto",
        },
        "allow_weak_teacher": True,
        "max_seq_length": 16,
        "per_gpu_train_batch_size": 8,
        "num_train_epochs": 1,
        "learning_rate": 1e-3,
        "save_steps": 2,
        "training_arguments": {"use_cpu": True},
    }
    return Template(folder, values)


@contextlib.contextmanager
def room(template: Template) -> Iterator[Path]:
    """A copy of the template as working directory."""
    before = Path.cwd()
    with tempfile.TemporaryDirectory(prefix="fuzz-") as name:
        folder = Path(name) / "work"
        shutil.copytree(template.folder, folder)
        os.chdir(folder)
        try:
            yield folder
        finally:
            os.chdir(before)


def listing(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def door(kind: str, arguments: list[str]) -> int:
    """Calls the command line; the exit code.

    Raises:
        HangsError: it did not end.
    """

    def stop(number, frame):
        raise HangsError(f"{arguments} did not end in {LONGEST} s")

    handler = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, LONGEST)
    try:
        code = cli.main(arguments)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)
        close_log()
    assert code in (0, 1, 2), code
    tried(f"{kind}: {('went through', 'failed with a message', 'refused')[code]}")
    return code


def close_log() -> None:
    log = logging.getLogger("chatstill")
    for one in list(log.handlers):
        log.removeHandler(one)
        one.close()
    log.propagate = True


def check_rest(folder: Path, before: set[str], code: int, output: str | None) -> None:
    """Nothing is half-written.

    Args:
        folder: The working directory.
        before: What was in it.
        code: How the door ended.
        output: The run folder that the configuration names, None if none.
    """
    new = listing(folder) - before
    assert not [name for name in new if name.endswith(LEFT_OVER)], sorted(new)
    if code == 2:
        assert not new, f"refused, and left {sorted(new)}"
        return
    if code == 0 and output is not None and (Path(output) / "run.json").is_file():
        check_run(Path(output))


def check_run(run: Path) -> None:
    """A finished run holds a network that transformers loads, and its figures as valid JSON."""
    record = json.loads((run / "run.json").read_text(encoding="utf-8"))
    assert record["state"] == "finished", record
    (kept,) = [run / name for name in ("student", "teacher") if (run / name).is_dir()]
    assert (kept / "model.safetensors").stat().st_size > 0
    json.loads((kept / "config.json").read_text(encoding="utf-8"))
    if (run / "metrics.json").is_file():
        json.loads((run / "metrics.json").read_text(encoding="utf-8"))
