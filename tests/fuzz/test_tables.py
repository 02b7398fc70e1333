"""Whatever a ``data`` block and its files hold: rows, or problems with their place; never half a run."""

import io
import json
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from chatstill.errors import UserError
from chatstill.tasks.tabular import TabularTask
from chatstill.tasks.tabular_keys import DataKeys

from ..cases import cases, tried
from .room import check_rest, door, listing, room
from .strategies import as_bytes, blocks, changed_json, one_key_changed, spliced
from .test_configurations import leaves_the_room

ROWS = [
    {"a": "where are you", "b": 'here, "there"', "y": "1", "g": "q"},
    {"a": "一二😀", "b": "", "y": "0", "g": "q"},
    {"a": "go home", "b": "now\u2028or later", "y": "1", "g": "p"},
    {"a": "ask me", "b": "why", "y": "0", "g": "p"},
]
KINDS = {
    "classification": {"labels": ["0", "1"], "group": "g"},
    "multi_label": {},
    "regression": {},
    "relevance": {"labels": ["0", "1"], "group": "g"},
}


def parquet() -> bytes:
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet as pq

    stream = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(ROWS), stream)
    return stream.getvalue()


def content_of(ending: str, encoding: str = "utf-8") -> bytes:
    if ending == "parquet":
        return parquet()
    if ending == "jsonl":
        lines = [json.dumps(row, ensure_ascii=False) for row in ROWS]
    elif ending == "csv":
        lines = ["a,b,y,g"]
        for row in ROWS:
            lines.append(",".join('"' + cell.replace('"', '""') + '"' for cell in row.values()))
    else:
        lines = ["a\tb\ty\tg", *("\t".join(row.values()) for row in ROWS)]
    return ("\n".join(lines) + "\n").encode(encoding)


FILES = [
    *(("csv", "utf-8"), ("tsv", "utf-8"), ("jsonl", "utf-8"), ("parquet", "utf-8")),
    *(("csv", "gb18030"), ("tsv", "utf-16")),
]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("ending", "encoding"), FILES)
def test_reading_ends_in_rows_or_in_problems(tmp_path, ending, encoding, kind):
    path = tmp_path / f"file.{ending}"
    block = {"text": ["a", "g"], "text_pair": "b", "label": "y", "encoding": encoding}

    @cases(15, 300)
    @given(
        content=spliced(content_of(ending, encoding)),
        labelled=st.booleans(),
        on_bad_row=st.sampled_from(["stop", "skip"]),
    )
    def try_it(content, labelled, on_bad_row):
        path.write_bytes(content)
        keys = DataKeys(**block, **KINDS[kind], kind=kind, train=str(path), on_bad_row=on_bad_row)
        try:
            rows = TabularTask(keys).read(path, "dev", labelled)
            found = list(rows)
        except UserError as error:
            for problem in error.problems:
                assert problem.place and problem.message
            str(error).encode("utf-8")
            tried(f"reading {ending} as {kind}: refused")
            return
        tried(f"reading {ending} as {kind}: went through")
        assert [row.id for row in found] == [f"dev-{number}" for number in range(len(found))]
        assert on_bad_row == "skip" or not rows.bad
        if labelled:
            assert all(row.label is not None for row in found)

    try_it()


MORE = {
    key: field.get_default(call_default_factory=True)
    for key, field in DataKeys.model_fields.items()
    if key not in ("dataset", "subset")
}
MORE |= {"text": "a", "text_pair": "b", "label": "y", "group": "g", "columns": ["a", "b"]}


@pytest.mark.parametrize("verb", ["check", "teach"])
def test_a_run_on_any_block(template, verb):
    block = {"train": "rows.csv", "dev": "rows.jsonl", "text": "a", "text_pair": "b", "label": "y"}
    common = {
        **{key: template.values[key] for key in template.values if key != "task_name"},
        "max_steps": 1,
    }
    common.pop("data_dir")

    @cases(25, 150)
    @given(data=st.data(), ending=st.sampled_from(["csv", "jsonl", "none"]))
    def try_it(data, ending):
        values = {**block, "on_bad_row": data.draw(st.sampled_from(["stop", "skip"]))}
        if ending == "none":
            change = st.sampled_from([changed_json, one_key_changed])
            values = data.draw(data.draw(change)(values, MORE))
        text = as_bytes({**common, "data": values})
        assume(not leaves_the_room(text))
        assume(not any("dataset" in inner for inner in blocks(values)))
        with room(template) as folder:
            for own in ("csv", "jsonl"):
                content = content_of(own)
                Path(f"rows.{own}").write_bytes(
                    data.draw(spliced(content)) if own == ending else content
                )
            Path("my.json").write_bytes(text)
            before = listing(folder)
            code = door(f"{verb}, data block changed", [verb, "my.json"])
            check_rest(folder, before, code, "out")

    try_it()
