"""Shared by all tests: one thread unless OMP_NUM_THREADS says otherwise, no hub."""

import gc
import os
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
WITHOUT_DRAWINGS = ("path", "train", "contract", "deploy", "fuzz")  # but by the marker

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
os.environ.setdefault("OMP_NUM_THREADS", "1")


def pytest_configure(config):
    """What Hypothesis makes up is always the same, or the same for each CHATSTILL_TEST_SEED."""
    import hypothesis
    import hypothesis.core

    from .cases import FIXED
    from .draws import SEED

    hypothesis.settings.register_profile("tests", derandomize=FIXED, database=None)
    hypothesis.settings.load_profile("tests")
    if SEED:
        hypothesis.core.global_force_seed = SEED


@pytest.fixture(autouse=True)
def quick_files(request, monkeypatch):
    """No waiting for a disk: a killed process loses nothing that was written. Charts where asked for."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    without = request.path.relative_to(TESTS).parts[0] in WITHOUT_DRAWINGS
    if without and "charts" not in request.keywords:
        monkeypatch.setattr("chatstill.report.page._charts", lambda report: [])


def pytest_collection_finish(session):
    """Each of hundreds of trainings collects garbage; what was imported is none."""
    gc.collect()
    gc.freeze()


def pytest_terminal_summary(terminalreporter):
    """How many made-up inputs were tried, by kind and how they ended."""
    from .cases import TRIED

    if TRIED:
        terminalreporter.write_line(f"{TRIED.total():,} made-up inputs:")
        for kind, count in sorted(TRIED.items()):
            terminalreporter.write_line(f"  {count:>7,} {kind}")
