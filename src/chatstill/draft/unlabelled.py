"""Training rows without a label, which decide the method."""

from itertools import islice
from pathlib import Path

from ..errors import UserError
from ..tasks.tabular import TabularTask
from ..tasks.tabular_keys import DataKeys
from .layout import READ


def rows_without(file: Path, keys: DataKeys) -> str:
    """How many of the first 200,000 rows have no label, in words; empty where all have one.

    Args:
        file: The training rows.
        keys: Their block. Malformed rows are left out here: the check tells of them.
    """
    task = TabularTask(keys.model_copy(update={"on_bad_row": "skip", "unlabeled": None}))
    rows = without = 0
    try:
        for row in islice(task.read(file, "train", False), READ):
            rows += 1
            without += row.label is None
    except UserError:
        return ""
    return f"{without:,} of {rows:,} training rows have no label" if without else ""
