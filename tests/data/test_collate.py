"""Padding, against a plain loop over rows."""

import numpy as np
import pytest
import torch
from example_rows import make_example
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chatstill.data.collate import collate
from chatstill.data.encoded import Lengths
from chatstill.data.views import prepare_view
from chatstill.readers.word_pieces import RowEncoder


@pytest.fixture(scope="module", params=["right", "left"])
def view(request, rows, bert, tmp_path_factory):
    bert.padding_side = request.param
    try:
        folder = tmp_path_factory.mktemp("view")
        yield prepare_view(rows, RowEncoder(bert, Lengths(14)), folder, source_fingerprint="s")
    finally:
        bert.padding_side = "right"


def slow_collate(view, indices, pad_token_id, multiple):
    """Row by row with lists."""
    found = [
        (
            view.ids[view.offsets[row] : view.offsets[row + 1]].tolist(),
            view.types[view.offsets[row] : view.offsets[row + 1]].tolist(),
        )
        for row in indices
    ]
    longest = max(len(ids) for ids, _ in found)
    while longest % multiple:
        longest += 1
    batch = {"input_ids": [], "attention_mask": [], "token_type_ids": []}
    for ids, types in found:
        gap = longest - len(ids)
        for name, values, filler in (
            ("input_ids", ids, pad_token_id),
            ("attention_mask", [1] * len(ids), 0),
            ("token_type_ids", types, 0),
        ):
            padding = [filler] * gap
            batch[name].append(
                padding + values if view.padding_side == "left" else values + padding
            )
    return {name: torch.tensor(values) for name, values in batch.items()}


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    indices=st.lists(st.integers(0, 59), min_size=1, max_size=9),
    pad=st.integers(0, 9),
    multiple=st.sampled_from([1, 1, 8]),
)
def test_equals_a_plain_loop(view, indices, pad, multiple):
    batch = collate(
        view,
        np.array(indices),
        pad_token_id=pad,
        with_token_types=True,
        pad_to_multiple_of=multiple,
    )
    for name, expected in slow_collate(view, indices, pad, multiple).items():
        assert batch[name].dtype == torch.int64
        assert torch.equal(batch[name], expected), name
    assert batch["index"].tolist() == indices and batch["index"].dtype == torch.int64
    assert batch["labels"].tolist() == [row % 2 for row in indices]


def test_token_types_only_when_asked(view):
    batch = collate(view, np.arange(3), pad_token_id=0)
    assert list(batch) == ["input_ids", "attention_mask", "labels", "index"]


@pytest.mark.parametrize(
    ("objective", "order", "expected", "kind"),
    [
        ("cross_entropy", None, [0, 1, 2], torch.int64),
        ("cross_entropy", [2, 0, 1], [2, 0, 1], torch.int64),
        ("sigmoid", None, [0.0, 1.0, 2.0], torch.float32),
        ("sigmoid", [1, 0, 2], [1.0, 0.0, 2.0], torch.float32),
        ("regression", [2, 0, 1], [0.0, 1.0, 2.0], torch.float32),
    ],
)
def test_labels_by_objective(bert, tmp_path, objective, order, expected, kind):
    some = [make_example(row, "a", label=row) for row in range(3)]
    view = prepare_view(some, RowEncoder(bert, Lengths(8)), tmp_path, source_fingerprint="s")
    batch = collate(view, np.arange(3), pad_token_id=0, label_order=order, objective=objective)
    assert batch["labels"].tolist() == expected and batch["labels"].dtype == kind


def test_scores_stay_as_they_are(bert, tmp_path):
    some = [make_example(0, "a", label=3.25), make_example(1, "b", label=0.5)]
    view = prepare_view(some, RowEncoder(bert, Lengths(8)), tmp_path, source_fingerprint="s")
    batch = collate(view, np.array([1, 0]), pad_token_id=0, objective="regression")
    assert batch["labels"].tolist() == [0.5, 3.25]


def test_a_row_without_a_label_is_marked(bert, tmp_path):
    some = [make_example(0, "a", label=1), make_example(1, "b")]
    view = prepare_view(some, RowEncoder(bert, Lengths(8)), tmp_path, source_fingerprint="s")
    classes = collate(view, np.array([1, 0]), pad_token_id=0, label_order=[1, 0])["labels"]
    assert classes.tolist() == [-100, 0]
    scores = collate(view, np.array([1, 0]), pad_token_id=0, objective="regression")["labels"]
    assert scores[0].isnan() and scores[1] == 1


def test_no_labels_where_no_row_has_one(bert, tmp_path):
    some = [make_example(0, "a"), make_example(1, "b")]
    view = prepare_view(some, RowEncoder(bert, Lengths(8)), tmp_path, source_fingerprint="s")
    assert "labels" not in collate(view, np.array([0]), pad_token_id=0)


def test_sets_of_labels_in_the_order_of_the_model(bert, tmp_path):
    some = [make_example(0, "a", label=(0, 2)), make_example(1, "b", label=())]
    some.append(make_example(2, "c"))
    view = prepare_view(
        some, RowEncoder(bert, Lengths(8)), tmp_path, source_fingerprint="s", label_width=3
    )
    assert (view.num_labelled, view.has_labels) == (2, False)
    batch = collate(
        view, np.arange(3), pad_token_id=0, label_order=[2, 1, 0], objective="multi_label"
    )
    assert batch["labels"][:2].tolist() == [[1, 0, 1], [0, 0, 0]]
    swapped = collate(
        view, np.arange(1), pad_token_id=0, label_order=[1, 2, 0], objective="multi_label"
    )
    assert swapped["labels"].tolist() == [[1, 1, 0]]
    assert batch["labels"][2].isnan().all()


def test_batches_are_their_own(view):
    indices = np.array([1, 2])
    batch = collate(view, indices, pad_token_id=0)
    batch["input_ids"].zero_()
    batch["index"].zero_()
    assert indices.tolist() == [1, 2]
    assert collate(view, indices, pad_token_id=0)["input_ids"].any()
