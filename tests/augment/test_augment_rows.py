"""The file of augmented rows: form, order, parents, what is left out, and files of other origin."""

import csv
import json
from contextlib import contextmanager
from pathlib import Path

import pytest

from chatstill.augment import augment as story
from chatstill.augment.desk import Desk
from chatstill.augment.digests import Digests, digest, plain
from chatstill.augment.keys import COPIES, AugmentationKeys, usual_copies
from chatstill.augment.named import Named
from chatstill.augment.places import augmented_file, record_file
from chatstill.augment.record import Sources, held_out, read_record
from chatstill.tasks import get_task
from chatstill.tasks.tabular import TabularTask
from chatstill.tasks.tabular_keys import DataKeys
from tests.found import codes, refused

from . import by_hand

TSV = "sentence\tlabel\n"
BILSTM = AugmentationKeys(method="bilstm", copies=20, seed=3)


class Told:
    """What an augmentation said."""

    def __init__(self):
        self.lines, self.warnings, self.done = [], [], {}

    @contextmanager
    def display(self, what, total):
        self.done[what] = [0, total]

        def done(number):
            self.done[what][0] += number

        yield done

    @property
    def desk(self):
        return Desk(self.lines.append, self.warnings.append, self.display)


def run(task, folder, keys=BILSTM, named=None, name="train"):
    told = Told()
    train = task.find("train", folder)
    model = None if named is None else named.model_name_or_path
    sources = Sources(task, folder, train, model)
    output = story.augment(sources, keys, named, told.desk)
    record = read_record(sources.record_file)
    assert record is not None
    return output, record, told


def write(path: Path, text: str, encoding="utf-8"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode(encoding))
    return path


def sst2(tmp_path, rows=("good cat runs\t1", "bad dog sleeps\t0", "red tree\t1")):
    write(tmp_path / "SST-2" / "train.tsv", TSV + "\n".join(rows) + "\n")
    write(tmp_path / "SST-2" / "dev.tsv", TSV + "a big house\t1\n")
    return get_task("sst2")


@pytest.fixture(scope="module")
def masked_lm(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mlm")
    by_hand.network().save_pretrained(folder)
    by_hand.tokenizer().save_pretrained(folder)
    return Named(str(folder), "augmentation.model_name_or_path")


# -- names and numbers -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("train", "rows", "record"),
    [
        ("chat/train.data.txt", "chat/train_aug.data.txt", "chat/train_aug.json"),
        ("SST-2/train.tsv", "SST-2/train_aug.tsv", "SST-2/train_aug.json"),
        ("d/my.v2.csv", "d/my.v2_aug.csv", "d/my.v2_aug.json"),
        ("d/train.json", "d/train_aug.jsonl", "d/train_aug.json"),
    ],
)
def test_names_beside_the_original(train, rows, record):
    assert augmented_file(Path(train)) == Path(rows)
    assert record_file(Path(train)) == Path(record)


def test_copies_are_tinyberts_by_task():
    assert COPIES == {
        **{"cola": 30, "mnli": 10, "mrpc": 30, "sst2": 20},
        **{"stsb": 30, "qqp": 10, "qnli": 20, "rte": 30},
    }
    assert (usual_copies("chat", pairs=True), usual_copies("mine", pairs=False)) == (10, 20)


# -- forms -------------------------------------------------------------------------------------------


def test_originals_first_then_copies_with_their_parents_label(tmp_path):
    task = sst2(tmp_path)
    output, record, told = run(task, tmp_path)
    lines = output.read_text(encoding="utf-8").splitlines()
    before = (tmp_path / "SST-2" / "train.tsv").read_text(encoding="utf-8").splitlines()
    assert lines[:4] == before
    rows = list(task.augmented(output).read(output, "train"))
    assert [row.id for row in rows] == [f"train-{n}" for n in range(len(rows))]
    parents = [n for n, number in enumerate(record["copies_of"]) for _ in range(number)]
    assert len(rows) == 3 + len(parents) and len(parents) > 6
    assert record["rows"] == {"originals": 3, "copies": len(parents)}
    for row, parent in zip(rows[3:], parents, strict=True):
        assert row.label == rows[parent].label
        kept = {*row.text_a.split()} - {"⍰"}
        assert kept <= {*rows[parent].text_a.split()}
    assert told.done["rows"] == [3, 3]


def test_chat_rows_keep_the_group_of_their_parent(tmp_path):
    text = "where is it\there\t1\nwhere is it\tno idea\t0\nwho\tme\t1\nwhere is it\tthere\t1\n"
    write(tmp_path / "train.data.txt", text)
    write(tmp_path / "dev.data.txt", "a\tb\t1\n")
    task = get_task("chat")
    before = list(task.read(tmp_path / "train.data.txt", "train"))
    output, record, _ = run(task, tmp_path)
    rows = list(task.augmented(output).read(output, "train"))
    assert [(r.text_a, r.text_b, r.label, r.group) for r in rows[:4]] == [
        (r.text_a, r.text_b, r.label, r.group) for r in before
    ]
    parents = [n for n, number in enumerate(record["copies_of"]) for _ in range(number)]
    assert parents
    for row, parent in zip(rows[4:], parents, strict=True):
        assert (row.group, row.label) == (before[parent].group, before[parent].label)


def test_a_tab_a_quote_and_a_full_width_comma_survive(tmp_path):
    rows = [('he said "no", twice', "a\tb，c", "x"), ('two\nlines "', "d，e f", "y")]
    with open(tmp_path / "train.csv", "w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows(
            [("first", "second", "label", "more"), *((*r, "z") for r in rows)]
        )
    keys = DataKeys(
        train=str(tmp_path / "train.csv"), text="first", text_pair="second", label="label"
    )
    task = TabularTask(keys)
    output, _, _ = run(task, tmp_path)
    with open(output, encoding="utf-8", newline="") as stream:
        found = list(csv.reader(stream))
    assert found[0] == ["first", "second", "label", "more"]
    assert [tuple(row[:3]) for row in found[1:3]] == rows
    assert all(row[3] == "z" for row in found[1:])
    read = list(task.augmented(output).read(output, "train"))
    assert [(r.text_a, r.text_b) for r in read] == [tuple(row[:2]) for row in found[1:]]
    assert any("\t" in row[1] for row in found[3:]) and any('"' in row[0] for row in found[3:])


@pytest.mark.parametrize("ending", ["tsv", "jsonl", "json", "parquet"])
def test_the_form_of_a_data_block_is_the_originals(tmp_path, ending):
    values = [{"text": "good cat runs", "label": "yes", "n": "1"}]
    values += [{"text": "bad ，dog", "label": "no", "n": "2"}]
    path = tmp_path / f"train.{ending}"
    if ending == "tsv":
        write(path, "\n".join(["text\tlabel\tn", *("\t".join(v.values()) for v in values)]) + "\n")
    elif ending == "parquet":
        arrow = pytest.importorskip("pyarrow")
        from pyarrow import parquet

        parquet.write_table(arrow.Table.from_pylist(values), path)
    else:
        values[1]["only here"] = [1]
        write(path, "\n".join(json.dumps(v, ensure_ascii=False) for v in values) + "\n")
    task = TabularTask(DataKeys(train=str(path), text="text", label="label"))
    output, record, _ = run(task, tmp_path)
    assert output.suffix == {"json": ".jsonl"}.get(ending, f".{ending}")
    rows = list(task.augmented(output).read(output, "train"))
    assert [row.text_a for row in rows[:2]] == [v["text"] for v in values]
    assert len(rows) == 2 + sum(record["copies_of"]) > 4
    if ending in ("jsonl", "json"):
        lines = [json.loads(line) for line in output.read_text("utf-8").splitlines()]
        assert lines[:2] == values and all("only here" in one for one in lines if one["n"] == "2")


def test_the_encoding_of_the_file_is_kept(tmp_path):
    path = write(tmp_path / "train.csv", "text,label\n好 猫,a\n坏 狗,b\n", "gb18030")
    keys = DataKeys(train=str(path), text="text", label="label", encoding="gb18030")
    output, _, _ = run(TabularTask(keys), tmp_path)
    assert output.read_bytes().decode("gb18030").startswith("text,label\n好 猫,a\n坏 狗,b\n")


def test_a_sign_that_the_encoding_lacks_leaves_the_copy_out(tmp_path):
    path = write(tmp_path / "train.csv", "text,label\ngood cat runs,a\nbad dog,b\n")
    keys = DataKeys(train=str(path), text="text", label="label", encoding="ascii")
    masked = AugmentationKeys(method="bilstm", copies=3, mask_probability=1)
    output, record, _ = run(TabularTask(keys), tmp_path, masked)
    assert record["left_out"]["unwritable"] > 0 and record["rows"]["copies"] == 0
    assert output.read_text("ascii").count("\n") == 3


def test_of_several_turns_the_last_is_changed(tmp_path):
    path = write(tmp_path / "train.csv", "a,b,label\nfirst turn,good cat,x\nalone here,,y\n")
    task = TabularTask(DataKeys(train=str(path), text=("a", "b"), label="label"))
    output, record, _ = run(task, tmp_path)
    rows = list(task.augmented(output).read(output, "train"))[2:]
    first = rows[: record["copies_of"][0]]
    assert first and all(row.context == ("first turn",) for row in first)
    assert all(row.context == () for row in rows[len(first) :])


def test_a_column_of_empty_turns_is_no_turn(tmp_path):
    rows = [json.dumps({"h": ["good cat runs"], "q": [""], "label": label}) for label in "xy"]
    path = write(tmp_path / "train.jsonl", "\n".join(rows) + "\n")
    task = TabularTask(DataKeys(train=str(path), text=("h", "q"), label="label"))
    output, _, _ = run(task, tmp_path)
    copies = [json.loads(line) for line in output.read_text("utf-8").splitlines()[2:]]
    assert copies and all(copy["q"] == [""] and copy["h"] != ["good cat runs"] for copy in copies)


PYTHON = """
class Mine:
    task_name = "mine"

    def get_train_examples(self, folder):
        return [{"guid": f"g{n}", "text_a": f"cat number dog {w}", "text_b": None, "label": l}
                for n, (w, l) in enumerate([("good", "x"), ("bad", "y")])]

    get_dev_examples = get_train_examples

    def get_labels(self):
        return ["x", "y"]
"""


def test_a_task_in_python_reads_its_rows_back(tmp_path):
    from chatstill.tasks.own import plugin_tasks

    plugin = write(tmp_path / "mine.py", PYTHON)
    task = plugin_tasks(str(plugin))["mine"]()
    output, record, _ = run(task, tmp_path)
    assert output == tmp_path / "train_aug.jsonl"
    augmented = task.augmented(output)
    rows = list(augmented.read(augmented.find("train", tmp_path), "train", True))
    assert [(r.text_a, r.label, r.name) for r in rows[:2]] == [
        ("cat number dog good", 0, "g0"),
        ("cat number dog bad", 1, "g1"),
    ]
    assert len(rows) == 2 + sum(record["copies_of"]) > 4
    assert augmented.fingerprint(output, "train") != task.fingerprint(tmp_path, "train")


# -- what is left out ------------------------------------------------------------------------------


def test_no_row_stands_there_twice_and_none_of_dev_or_test(tmp_path):
    rows = ["cat dog\t1", "dog cat\t0", "cat dog\t0", "tree\t1"]
    task = sst2(tmp_path, rows)
    write(tmp_path / "SST-2" / "dev.tsv", TSV + "Dog\t1\n")
    write(tmp_path / "SST-2" / "test.tsv", "index\tsentence\n0\t⍰  CAT\n")
    output, record, _ = run(task, tmp_path, BILSTM.model_copy(update={"copies": 60}))
    texts = [row.text_a for row in task.read(output, "train")]
    assert texts[:4] == ["cat dog", "dog cat", "cat dog", "tree"]
    copies = texts[4:]
    assert len({*copies}) == len(copies) and not {*copies} & {*texts[:4]}
    assert "⍰ dog" in copies and not {"dog", "⍰ cat"} & {*copies}
    left = record["left_out"]
    assert left["held_out"] > 0
    assert sum(left.values()) + len(copies) == 4 * 60


def test_a_sentence_is_compared_without_case_and_blanks():
    assert plain(" A  Cat\t") == plain("a cat")
    assert digest("ab", "c") != digest("a", "bc")


def test_digests_are_found_again(tmp_path):
    table = Digests(tmp_path / "table", 3000)
    keys = [digest(str(n)) for n in range(3000)]
    assert [table.add(key, n) for n, key in enumerate(keys)] == [None] * 3000
    assert [table.find(key) for key in keys] == list(range(3000))
    assert table.add(keys[7], 1) == 7 and table.find(digest("new")) is None and len(table) == 3000


# -- faults ------------------------------------------------------------------------------------------


def test_a_file_of_other_origin_is_never_overwritten(tmp_path):
    task = sst2(tmp_path)
    theirs = write(tmp_path / "SST-2" / "train_aug.tsv", TSV + "mine\t1\n")
    with refused("augment.file-of-others"):
        run(task, tmp_path)
    assert theirs.read_text(encoding="utf-8") == TSV + "mine\t1\n"
    theirs.unlink()
    record = write(tmp_path / "SST-2" / "train_aug.json", "{}")
    with refused("augment.record-of-others"):
        run(task, tmp_path)
    assert record.read_text(encoding="utf-8") == "{}"


def test_a_file_that_was_changed_by_hand_is_kept(tmp_path):
    task = sst2(tmp_path)
    output, _, _ = run(task, tmp_path)
    output.write_bytes(output.read_bytes() + b"by hand\t1\n")
    with refused("augment.file-of-others"):
        run(task, tmp_path, BILSTM.model_copy(update={"seed": 4}))
    assert output.read_bytes().endswith(b"by hand\t1\n")


def test_rows_of_other_settings_take_the_place_of_our_own(tmp_path):
    task = sst2(tmp_path)
    output, _, _ = run(task, tmp_path)
    before = output.read_bytes()
    _, _, told = run(task, tmp_path)
    assert len(told.lines) == 1 and output.read_bytes() == before  # nothing to do
    run(task, tmp_path, BILSTM.model_copy(update={"seed": 4}))
    assert output.read_bytes() != before
    assert {path.name for path in output.parent.iterdir()} == {
        *("train.tsv", "dev.tsv", "train_aug.tsv", "train_aug.json")
    }


def test_a_disk_that_is_too_small_is_refused_before_anything_is_written(tmp_path, monkeypatch):
    task = sst2(tmp_path)
    from types import SimpleNamespace

    monkeypatch.setattr(story.shutil, "disk_usage", lambda path: SimpleNamespace(free=100))
    with refused("augment.disk-too-small"):
        run(task, tmp_path)
    assert {p.name for p in (tmp_path / "SST-2").iterdir()} == {"train.tsv", "dev.tsv"}


def test_malformed_rows_are_told_as_in_training(tmp_path):
    task = sst2(tmp_path, ("good cat\t1", "no label", "bad\t7"))
    with refused("data.malformed-row", "line 3"):
        run(task, tmp_path)
    output, record, told = run(task.skipping(), tmp_path)
    assert codes(told.warnings)[0] == "data.rows-left-out"
    assert record["rows"]["originals"] == 1
    assert len(list(task.read(output, "train"))) == 1 + record["rows"]["copies"]


def test_empty_sentences_and_scores_are_told_and_kept(tmp_path):
    header = "index genre filename year old_index source1 source2 sentence1 sentence2 score".split()
    rows = [["0", *"abcdef", "good cat", "", "2.5"], ["1", *"abcdef", "bad dog", "a tree", "4"]]
    write(tmp_path / "STS-B" / "train.tsv", "\n".join("\t".join(r) for r in [header, *rows]) + "\n")
    task = get_task("stsb")
    output, _, told = run(task, tmp_path)
    assert {"data.rows-noticed", "augment.scores-are-kept"} <= {*codes(told.warnings)}
    found = list(task.read(output, "train"))
    assert {row.label for row in found} == {2.5, 4.0} and len(found) > 4


def test_a_transfer_set_is_not_copied(tmp_path):
    task = sst2(tmp_path)
    write(tmp_path / "SST-2" / "unlabeled.tsv", "one more\nand more\n")
    _, record, _ = run(task, tmp_path)
    assert record["rows"]["originals"] == 3
    write(tmp_path / "train.data.txt", "where is it\there\nwho\tme\n")
    write(tmp_path / "unlabeled.data.txt", "one\tmore\nand\tmore\n")
    output, record, told = run(get_task("chat"), tmp_path)
    assert record["rows"]["originals"] == 2 and "augment.no-labels" in codes(told.warnings)
    assert output.read_text(encoding="utf-8").startswith("where is it\there\nwho\tme\n")


@pytest.mark.parametrize("skip", [False, True])
def test_rows_without_a_label_among_others_get_copies_without_one(tmp_path, skip):
    text = "text,mood\ngood cat runs,up\nbad dog sleeps,\nred tree falls,down\na big house,\n"
    path = str(write(tmp_path / "rows.csv", text))
    on_bad_row = "skip" if skip else "stop"
    keys = DataKeys(train=path, text="text", label="mood", labels=("down", "up"))
    task = TabularTask(keys.model_copy(update={"on_bad_row": on_bad_row}))
    output, record, told = run(task, tmp_path)
    (warning,) = [w for w in told.warnings if w.code == "augment.no-labels"]
    assert warning.message.startswith("2 rows of 4 without a label")
    found = list(task.augmented(output).read(output, "train", False))
    labels = [row.label for row in found]
    parents = [n for n, number in enumerate(record["copies_of"]) for _ in range(number)]
    assert labels[:4] == [1, None, 0, None] and {1, 3} < {*parents}
    assert labels[4:] == [labels[parent] for parent in parents]


def test_empty_labels_of_chat_stay_empty_in_the_copies(tmp_path):
    write(tmp_path / "train.data.txt", "where is it\there\t1\nwho is that\tyour friend\t\n")
    write(tmp_path / "dev.data.txt", "a\tb\t1\n")
    task = get_task("chat")
    output, record, _ = run(task, tmp_path)
    labels = [row.label for row in task.augmented(output).read(output, "train", False)]
    first, second = record["copies_of"]
    assert second and labels == [1, None, *[1] * first, *[None] * second]


def test_dialogues_of_a_line_are_refused(tmp_path):
    lines = '{"text": "q", "candidates": ["a", "b"], "chosen": 0}\n'
    path = str(write(tmp_path / "t.jsonl", lines))
    keys = DataKeys(train=path, text="text", candidates="candidates", chosen="chosen")
    with refused("augment.dialogues"):
        run(TabularTask(keys), tmp_path)


def test_no_tagger_and_words_without_candidates_are_told(tmp_path, masked_lm):
    task = sst2(tmp_path)
    _, _, told = run(task, tmp_path)
    assert codes(told.warnings) == ["augment.no-tagger"]
    task = sst2(tmp_path, ("the walking cat\t1", "red cat\t0"))
    keys = AugmentationKeys(copies=2, workers=1)
    _, record, told = run(task, tmp_path, keys, masked_lm)
    *_, weak, missing = told.warnings
    assert record["doubts"] == [weak.message]
    assert weak.code == "augment.model-no-better-than-a-guess", "its weights are random"
    assert missing.code == "augment.words-without-candidates" and "%" in missing.message


def test_word_vectors_of_the_model_are_those_of_the_training_words(tmp_path, masked_lm):
    rows = ("walking cat\t1", "walker dog\t0", "walks\t1")
    task = sst2(tmp_path, rows)
    keys = AugmentationKeys(copies=30, workers=1, word_vectors="model", probability=1)
    output, _, told = run(task, tmp_path, keys, masked_lm)
    assert not told.warnings
    texts = [row.text_a for row in task.read(output, "train")][3:]
    words = {"walking", "cat", "walker", "dog", "walks"}
    assert {text for text in texts if " " not in text} == words - {"walks"}
    assert {text.split()[0] for text in texts if " " in text} <= words


def test_both_test_files_of_mnli_are_held_out(tmp_path):
    task, folder = get_task("mnli"), tmp_path / "MNLI"
    names = ("dev_matched.tsv", "dev_mismatched.tsv", "test_matched.tsv", "test_mismatched.tsv")
    for name in names:
        write(folder / name, "")
    found = {key: path.name for key, (_, path) in held_out(task, tmp_path).items()}
    assert found == {
        "dev": names[0],
        "test": names[2],
        names[3]: names[3],
    }  # dev reads both of its own
    (folder / names[3]).unlink()
    assert held_out(task, tmp_path).keys() == {"dev", "test"}
