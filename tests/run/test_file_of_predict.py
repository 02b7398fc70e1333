"""Advice about a file that is scored: the keys of a block are those of the run's own files."""

from pathlib import Path

from chatstill.errors import Problem
from chatstill.run.results import _of_file


def test_another_encoding_is_the_files_to_change():
    """Set in the block, it would be that of the training files too, which are read for their labels."""
    file = Path("new.csv")
    advice = Problem("new.csv: line 1", "no utf-8", 'Set "encoding": "gb18030".', code="x")
    assert "iconv" in _of_file(advice, file).hint
    for other in (
        Problem("train.csv: line 1", "no utf-8", 'Set "encoding": "gb18030".', code="x"),
        Problem("new.csv: line 1", "no label", "Give one.", code="x"),
    ):
        assert _of_file(other, file) is other
