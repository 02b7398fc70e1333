"""Shared by all tests: one thread (results must not depend on the machine's load), no hub."""

import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
os.environ.setdefault("OMP_NUM_THREADS", "1")


def pytest_terminal_summary(terminalreporter):
    """How many made-up inputs were tried, by kind and how they ended."""
    from .cases import TRIED

    if TRIED:
        terminalreporter.write_line(f"{TRIED.total():,} made-up inputs:")
        for kind, count in sorted(TRIED.items()):
            terminalreporter.write_line(f"  {count:>7,} {kind}")
