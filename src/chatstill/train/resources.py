"""What the machine has: disk and memory, and what a run will put on the disk."""

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import Problem


@dataclass(frozen=True)
class DiskNeed:
    """Bytes that a run will write under a folder, and what they are."""

    what: str
    path: Path
    size: int


def disk_needs(
    output_dir: Path,
    *,
    student_bytes: int,
    trained_parameters: int,
    save_total_limit: int,
    keep_best: bool = False,
    cache_dir: Path | None = None,
    cache_bytes: int = 0,
    optimizer_states: int = 2,
) -> list[DiskNeed]:
    """Checkpoints (one more than are kept: the next comes before the oldest goes), student, cache.

    Args:
        output_dir: The run folder.
        student_bytes: Size of the student's weights.
        trained_parameters: Parameters with optimizer state.
        save_total_limit: Checkpoints kept.
        keep_best: Whether a copy of the best weights is kept as well.
        cache_dir: Where prepared data go.
        cache_bytes: Their size.
        optimizer_states: float32 numbers that the optimizer keeps per trained parameter.
    """
    checkpoint = student_bytes + 4 * trained_parameters * optimizer_states
    needs = [
        DiskNeed("checkpoints", output_dir, checkpoint * (save_total_limit + 1)),
        DiskNeed(
            "student and its best weights" if keep_best else "student",
            output_dir,
            student_bytes * (2 if keep_best else 1),
        ),
    ]
    if cache_bytes:
        needs.append(DiskNeed("prepared data", cache_dir or output_dir, cache_bytes))
    return needs


def check_disk(needs: Sequence[DiskNeed]) -> list[Problem]:
    """Needs against what is free per file system: too little is an error, just enough a warning."""
    by_device: dict[int, list[DiskNeed]] = {}
    for need in needs:
        by_device.setdefault(existing_parent(need.path).stat().st_dev, []).append(need)
    problems = []
    for needed in by_device.values():
        place = existing_parent(needed[0].path)
        free = shutil.disk_usage(place).free
        total = sum(need.size for need in needed)
        if free >= 1.5 * total + 100_000_000:
            continue
        parts = ", ".join(f"{need.what} {_megabytes(need.size)}" for need in needed)
        message = f"{_megabytes(total)} needed ({parts}), {_megabytes(free)} free in {place}"
        if free < total:
            hint = "Make room, name another output_dir, or lower save_total_limit."
            problems.append(Problem("disk", message, hint, code="machine.disk-full"))
        else:
            problems.append(
                Problem(
                    "disk",
                    f"little room: {message}",
                    severity="warning",
                    code="machine.disk-nearly-full",
                )
            )
    return problems


def existing_parent(path: Path) -> Path:
    """The path itself or the nearest folder above it that exists."""
    path = path.absolute()
    while not path.exists():
        path = path.parent
    return path


def available_memory(device: str = "cpu") -> int:
    """Bytes that this process may hold: free ones of the GPU, or those that it holds and what is free.

    On a machine, within its container's limit.
    """
    if device == "cuda":
        import torch

        return int(torch.cuda.mem_get_info()[0])
    import psutil

    free = int(psutil.virtual_memory().available)
    try:
        folder = Path("/sys/fs/cgroup")
        limit = int((folder / "memory.max").read_text(encoding="ascii"))
        used = int((folder / "memory.current").read_text(encoding="ascii"))
        free = min(free, max(0, limit - used))
    except (OSError, ValueError):  # no container, or no limit ("max")
        pass
    return free + memory_in_use()


def memory_in_use(device: str = "cpu") -> int:
    """Bytes now: the process's resident memory, or CUDA's tensors."""
    if device == "cuda":
        import torch

        return int(torch.cuda.memory_allocated())
    import psutil

    return int(psutil.Process().memory_info().rss)


def forget_peak(device: str = "cpu") -> bool:
    """Lets ``peak_memory`` begin anew; whether it can. Of a process, Linux alone does it."""
    if device == "cuda":
        import torch

        torch.cuda.reset_peak_memory_stats()
        return True
    try:
        switch = os.open("/proc/self/clear_refs", os.O_WRONLY)  # of the kernel: no file is written
    except OSError:
        return False
    try:
        os.write(switch, b"5")
    except OSError:
        return False
    finally:
        os.close(switch)
    return peak_memory() is not None


def peak_memory(device: str = "cpu") -> int | None:
    """Most bytes since ``forget_peak``; None where the system does not tell."""
    if device == "cuda":
        import torch

        return int(torch.cuda.max_memory_allocated())
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii", errors="replace").split("\n")
    except OSError:
        return None
    found = next((line.split() for line in lines if line.startswith("VmHWM:")), None)
    return None if found is None else int(found[1]) * 1024


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.0f} MB"
