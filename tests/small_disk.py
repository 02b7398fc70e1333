"""A small file system, where the system lets us make one."""

import subprocess
from contextlib import contextmanager

import pytest


@contextmanager
def mounted(folder, size):
    """``folder`` with room for ``size`` (``1536k``) on a disk of its own; without the right a test skips."""
    folder.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], capture_output=True
    )
    if done.returncode:
        pytest.skip("no right to mount a tmpfs")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)
