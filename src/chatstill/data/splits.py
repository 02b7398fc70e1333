"""The rows of a run, split by split: where they lie, whether they must have labels, their view."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..disk.write import write_text
from ..tasks.base import Example, Split, Task
from ..tasks.files import locate
from .encoded import Encoder, Lengths
from .views import View, prepare_view

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ..config.schema import RunConfig

log = logging.getLogger("chatstill")


def path_of(task: Task, split: Split, config: RunConfig) -> Path:
    """The file of a split, or of the one that stands in for it."""
    return locate(task, split, Path(config.data_dir)).path


def lengths_of(config: RunConfig) -> Lengths:
    """The lengths that rows are cut to."""
    return Lengths(
        config.max_seq_length,
        config.max_query_length,
        config.max_reply_length,
        config.truncation_side,
    )


def lengths_of_network(config: RunConfig, network: Any) -> dict[str, int | str]:
    """What the config of a network that cuts its two texts itself says, where the run says nothing.

    Its lengths, so that rows are cut to them before the whole row is cut and no text's end depends on the
    other text; and the ``truncation_side``, where it is another than the usual one.
    """
    keys = ("max_query_length", "max_reply_length")
    of_network = {key: getattr(network, key, None) for key in keys}
    own: dict[str, int | str] = {
        key: value
        for key, value in of_network.items()
        if isinstance(value, int) and getattr(config, key) is None
    }
    side = getattr(network, "truncation_side", None)
    cuts_texts = all(isinstance(value, int) for value in of_network.values())
    if cuts_texts and side in ("left", "right") and side != config.truncation_side:
        if "truncation_side" not in config.model_fields_set:
            own["truncation_side"] = side
    return own


def rows_folder(config: RunConfig, run: Path) -> Path:
    """Where prepared rows lie, and what is kept beside them."""
    return Path(config.cache_dir) / "views" if config.cache_dir else run / "cache"


def label_width(task: Task) -> int:
    """Numbers that the label of a row takes up: 0 for one plain number."""
    return len(task.labels.names) if task.labels.kind == "multi_label" else 0


def sample_view(
    task: Task,
    examples: Iterable[Example],
    encode: Encoder,
    folder: Path,
) -> View:
    """A view over a few rows in a temporary folder."""
    return prepare_view(
        examples,
        encode,
        folder,
        source_fingerprint="sample",
        label_width=label_width(task),
    )


def list_bad_rows(views: Mapping[str, View], folder: Path) -> None:
    """``bad_rows.tsv``: the malformed rows that were left out; no file where there are none."""
    lines = [f"{split}\t{line}\n" for split, view in views.items() for line in view.bad_rows]
    if lines:
        rows = f"{len(lines):,} malformed rows were" if lines[1:] else "1 malformed row was"
        log.info("%s left out: %s", rows, folder / "bad_rows.tsv")
        write_text(folder / "bad_rows.tsv", "split\trow\n" + "".join(lines))
