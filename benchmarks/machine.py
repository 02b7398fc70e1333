"""Where and with what a benchmark ran: device, versions, commit. Imports no torch."""

import importlib.metadata
import os
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("torch", "transformers", "accelerate", "numpy")


def describe(device: str | None = None) -> dict[str, str]:
    """Device, cores, versions, commit, date. ``device`` names an accelerator, if one was used."""
    return {
        "device": device or processor_name(),
        "cores": str(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else "?"),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        **{name: importlib.metadata.version(name) for name in PACKAGES},
        "commit": commit(),
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
    }


def processor_name() -> str:
    """The processor as the system names it."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
        names = [line.split(":", 1)[1] for line in text.splitlines() if "model name" in line]
        return names[0].strip()
    except (OSError, IndexError):
        return platform.processor() or platform.machine()


def has_bf16() -> bool:
    """Whether the processor multiplies in bf16 itself; True where the system does not tell."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return True
    return bool({"avx512_bf16", "amx_bf16", "bf16"} & set(text.split()))


def commit() -> str:
    """The commit that ran, with ``+changes`` where files differ from it; empty outside git."""

    def git(*words: str) -> str:
        done = subprocess.run(
            ["git", "-C", str(ROOT), *words], capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    try:
        changed = git("status", "--porcelain", "--untracked-files=no", "--", ":!benchmarks/results")
        return git("rev-parse", "--short=12", "HEAD") + ("+changes" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return ""


def as_line(facts: dict[str, str]) -> str:
    """One line for the foot of a table."""
    return ", ".join(f"{name} {value}" for name, value in facts.items() if value)
