"""One process per device, and the order in which processes begin."""

import logging
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from ..disk.write import open_own

_LAST_WORK_SECONDS = 0.2
log = logging.getLogger("chatstill")


def rank() -> int:
    """This process's rank, from the environment that torchrun and accelerate set."""
    return int(os.environ.get("RANK", "0"))


def world_size() -> int:
    """The number of processes of this run."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def say(line: str) -> None:
    """A line of the log, from the first process."""
    if rank() == 0:
        log.info("%s", line)


def own_launch_command(num_devices: int, arguments: list[str]) -> list[str]:
    """The command that starts one process per device on this machine.

    Args:
        num_devices: Processes to start.
        arguments: Those of ``chatstill``: a verb, a file, options.
    """
    return [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        f"--nproc-per-node={num_devices}",
        "-m",
        "chatstill",
        *arguments,
    ]


def relaunch_on_every_device(arguments: list[str], *, cpu: bool = False) -> None:
    """With several GPUs visible and no launcher, replaces this process by a launcher.

    A plain ``python run_glue.py`` on several GPUs would otherwise train with ``nn.DataParallel``.
    """
    if "WORLD_SIZE" in os.environ or cpu:
        return
    import torch

    if torch.cuda.device_count() < 2:
        return
    command = own_launch_command(torch.cuda.device_count(), arguments)
    os.execv(command[0], command)


def _token() -> str:
    """Names this launch: the same in all its processes, another one for every start."""
    parts = [
        os.environ.get("MASTER_PORT", ""),
        os.environ.get("TORCHELASTIC_RUN_ID", ""),
        os.environ.get("TORCHELASTIC_RESTART_COUNT", "0"),
    ]
    if os.environ.get("LOCAL_WORLD_SIZE", "1") == os.environ.get("WORLD_SIZE", "1"):
        parts.append(str(os.getppid()))
    return "-".join(part.replace("/", "_") for part in parts)


def wait_until(condition: Callable[[], bool]) -> None:
    """Waits for another process; ends this one if the launcher has gone."""
    parent = os.getppid()
    while not condition():
        if os.getppid() != parent:
            raise SystemExit(1)
        time.sleep(0.1)


def meet_again(number: int) -> None:
    """Prepares a further process group in the same processes, after the first one was left.

    What processes left in the meeting place of a group would mislead the next one: each group has one
    of its own, which the first process opens at a port of its own.
    """
    if world_size() < 2:
        return
    first = os.environ.setdefault("CHATSTILL_FIRST_PORT", os.environ["MASTER_PORT"])
    os.environ["MASTER_PORT"] = str(int(first) + number)
    os.environ["TORCHELASTIC_USE_AGENT_STORE"] = "False"


def leave_group() -> None:
    """Ends the process group of a run, if there is one.

    The group's own threads need Python's lock to let go of the tensors of their last work, and its
    destructor waits for these threads with that lock held: whoever leaves at once may hang for good.
    """
    import torch.distributed as dist

    if dist.is_available() and dist.is_initialized():
        time.sleep(_LAST_WORK_SECONDS)  # the lock is free meanwhile
        dist.destroy_process_group()


class Gate:
    """The other processes wait here until the first one has checked and prepared everything.

    It comes before the process group: a rendezvous would time out while millions of rows are
    tokenised. If the first process fails, its launcher stops the others.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / f".ready-{_token()}"

    def open(self) -> None:
        """Called by the first process."""
        if world_size() > 1:
            os.close(open_own(self.path, os.O_WRONLY | os.O_CREAT))

    def wait(self) -> None:
        """Called by the others; returns once the gate is open."""
        wait_until(self.path.exists)

    def remove(self) -> None:
        """Called by the first process once all have joined."""
        self.path.unlink(missing_ok=True)
