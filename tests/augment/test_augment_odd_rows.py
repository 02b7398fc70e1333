"""Rows that files really hold: short ones, empty sides, columns of one name, numbers as texts."""

import csv
import shutil

import pytest

from chatstill.augment.keys import AugmentationKeys
from chatstill.augment.named import Named
from chatstill.augment.record import Sources
from chatstill.tasks import get_task
from chatstill.tasks.tabular import TabularTask
from chatstill.tasks.tabular_keys import DataKeys
from tests.found import refused

from . import by_hand
from .test_augment_rows import Told, run, story, write

BILSTM = AugmentationKeys(method="bilstm", copies=6, mask_probability=0.9, tag_probability=0.1)
QQP = "id\tqid1\tqid2\tquestion1\tquestion2\tis_duplicate\n"


def test_a_row_of_qqp_that_lacks_columns_is_left_out_and_counted(tmp_path):
    rows = ["1\t2\t3\tgood cat runs\tbad dog\t1", "4\t5\t6\tred tree", "7\t8\t9\tblue tree\tdog\t0"]
    write(tmp_path / "QQP" / "train.tsv", QQP + "\n".join(rows) + "\n")
    output, record, told = run(get_task("qqp"), tmp_path, BILSTM)
    assert record["rows"]["originals"] == 2 == len(record["copies_of"])
    assert [w.code for w in told.warnings if "left out" in str(w)] == ["data.rows-noticed"]
    assert all(line.count("\t") == 5 for line in output.read_text().splitlines())
    assert len(list(get_task("qqp").read(output, "train"))) == sum(record["rows"].values())


def test_an_empty_side_of_a_pair_stays_empty(tmp_path):
    path = write(tmp_path / "rows.csv", "a,b,y\n,good night all,0\nred tree,,1\n")
    task = TabularTask(DataKeys(train=str(path), text="a", text_pair="b", label="y"))
    output, record, _ = run(task, tmp_path, BILSTM)
    rows = list(csv.reader(output.open()))[3:]
    first, second = record["copies_of"]
    assert first and second and len(rows) == first + second
    assert all(row[0] == "" and row[1] for row in rows[:first])
    assert all(row[1] == "" and row[0] for row in rows[first:])


def test_columns_of_one_name_keep_their_own_cells(tmp_path):
    """A spreadsheet's empty columns, too, have one name."""
    path = write(
        tmp_path / "rows.csv", "a,note,y,note,,\nred tree runs,1,x,2,3,4\nbig dog,5,y,6,,\n"
    )
    task = TabularTask(DataKeys(train=str(path), text="a", label="y"))
    output, record, _ = run(task, tmp_path, BILSTM)
    rows = list(csv.reader(output.open()))
    assert rows[:3] == list(csv.reader(path.open()))
    first = record["copies_of"][0]
    assert all(row[1:] == ["1", "x", "2", "3", "4"] for row in rows[3 : 3 + first])
    assert all(row[1:] == ["5", "y", "6", "", ""] for row in rows[3 + first :]) and rows[3:]


def test_a_parquet_column_of_numbers_holds_no_changed_text(tmp_path):
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    table = pa.table({"a": [11, 12, 13], "y": ["x", "y", "x"]})
    parquet.write_table(table, tmp_path / "rows.parquet")
    task = TabularTask(DataKeys(train=str(tmp_path / "rows.parquet"), text="a", label="y"))
    with refused("augment.column-of-no-text", "'a'", "int64"):
        run(task, tmp_path, BILSTM)
    texts = {
        "a": pa.array(["red tree", "big dog", "red tree"]).dictionary_encode(),
        "y": ["x", "y", "x"],
    }
    parquet.write_table(pa.table(texts), tmp_path / "rows.parquet")
    _, record, _ = run(task, tmp_path, BILSTM)
    assert sum(record["copies_of"])


def test_another_tokenizer_of_the_model_makes_other_rows(tmp_path):
    path = write(tmp_path / "data" / "rows.csv", "a,y\nGood cat runs,x\nParis sleeps,y\n")
    task = TabularTask(DataKeys(train=str(path), text="a", label="y"))
    by_hand.network().save_pretrained(tmp_path / "model")
    for name, lower in (("one", True), ("other", False)):
        by_hand.tokenizer(lower).save_pretrained(tmp_path / name)
    keys, told = AugmentationKeys(copies=3, keep_candidates=True, workers=1), Told()

    def rows(tokenizer):
        model, named = str(tmp_path / "model"), str(tmp_path / tokenizer)
        sources = Sources(task, tmp_path / "data", path, model, named)
        of_model = Named(model, "place", tokenizer=named)
        return story.augment(sources, keys, of_model, told.desk).read_bytes()

    first = rows("one")
    shutil.copytree(tmp_path / "one", tmp_path / "again")
    told.lines.clear()
    assert rows("again") == first and any("already" in line for line in told.lines)
    told.lines.clear()
    other = rows("other")
    assert other != first and any("found anew" in line for line in told.lines)
