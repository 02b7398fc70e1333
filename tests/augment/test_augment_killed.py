"""The same bytes for any number of workers and batch size, and after any interruption."""

import dataclasses
import os
import random
import signal
from pathlib import Path

import pytest

from chatstill.augment import predictor, work
from chatstill.augment.keys import AugmentationKeys
from chatstill.augment.named import Named
from chatstill.disk.fresh import is_fresh_name
from chatstill.tasks import get_task
from tests.draws import reseeded
from tests.found import refused
from tests.path.children import count_changes, die, fork, wait
from tests.until import until

from . import by_hand
from .test_augment_rows import run

KEYS = AugmentationKeys(copies=3, workers=1, seed=5, candidates=6)


def write_rows(folder, rows=40):
    generator = random.Random(reseeded(1))
    words = [*by_hand.WORDS, "walking", "walks", "London"]
    lines = ["sentence\tlabel"]
    lines += [f"{' '.join(generator.choices(words, k=1 + n % 6))}\t{n % 2}" for n in range(rows)]
    (folder / "SST-2").mkdir(parents=True)
    (folder / "SST-2" / "train.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")


@pytest.fixture(scope="module")
def masked_lm(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mlm")
    by_hand.network().save_pretrained(folder)
    by_hand.tokenizer().save_pretrained(folder)
    return Named(str(folder), "place")


@pytest.fixture(autouse=True)
def small_units(monkeypatch):
    monkeypatch.setattr(work, "UNIT", 5)


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory, masked_lm):
    folder = tmp_path_factory.mktemp("unbroken")
    write_rows(folder)
    before, work.UNIT = work.UNIT, 5
    try:
        output, record, _ = run(get_task("sst2"), folder, KEYS, masked_lm)
    finally:
        work.UNIT = before
    assert record["rows"]["copies"] > 60
    return output.read_bytes(), output.with_name("train_aug.json").read_bytes()


def written(folder):
    place = folder / "SST-2"
    return [
        (place / name).read_bytes().replace(str(folder).encode(), b"")
        for name in ("train_aug.tsv", "train_aug.json")
    ]


def as_unbroken(folder, unbroken):
    rows, record = written(folder)
    assert rows == unbroken[0]
    names = b'"source": '
    assert record.split(names)[0] == unbroken[1].split(names)[0]
    assert record.partition(b'"output"')[2] == unbroken[1].partition(b'"output"')[2]
    names = {path.name for path in (folder / "SST-2").iterdir()}
    left = {name for name in names if is_fresh_name(name)}  # goes a minute after its writer
    assert names - left == {"train.tsv", "train_aug.tsv", "train_aug.json"}


def test_three_workers_write_what_one_does(tmp_path, masked_lm, unbroken):
    write_rows(tmp_path)
    keys = KEYS.model_copy(update={"workers": 3})
    _, _, told = run(get_task("sst2"), tmp_path, keys, masked_lm)
    assert told.done["sentences"][0] == told.done["sentences"][1] > 25
    as_unbroken(tmp_path, unbroken)


@pytest.mark.parametrize("rows", [1, 7])
def test_another_batch_size_changes_no_byte(tmp_path, masked_lm, unbroken, monkeypatch, rows):
    write_rows(tmp_path)
    plain = predictor.Predictor.__init__
    monkeypatch.setattr(
        predictor.Predictor,
        "__init__",
        lambda self, scores, pad, longest=512, _=32: plain(self, scores, pad, longest, rows),
    )
    run(get_task("sst2"), tmp_path, KEYS, masked_lm)
    as_unbroken(tmp_path, unbroken)


def attempt(folder, masked_lm, kill_at=None, before="no such change"):
    """In a child that is killed at a change of a file: at one of a number, or before one that is named."""
    changes = folder / "count"

    def one():
        counted = count_changes(
            folder / "SST-2",
            lambda number, what: die() if number == kill_at or before in what else None,
        )
        run(get_task("sst2"), folder, KEYS, masked_lm)
        changes.write_text(str(counted()), encoding="utf-8")

    return wait(fork(one, folder / "said.txt"))


def test_killed_again_and_again(tmp_path, masked_lm, unbroken):
    counting = tmp_path / "counting"
    write_rows(counting)
    assert attempt(counting, masked_lm) == 0, (counting / "said.txt").read_text("utf-8")
    changes = int((counting / "count").read_text("utf-8"))
    assert changes > 40, "the hook sees what is written"
    generator = random.Random(reseeded(2))
    late = [changes - back for back in (1, 2, 3, 5, 8)]
    for number, first in enumerate([*late, *generator.sample(range(1, changes), 4)]):
        folder = tmp_path / f"killed-{number}"
        write_rows(folder)
        assert attempt(folder, masked_lm, first) == -signal.SIGKILL
        again = attempt(folder, masked_lm, generator.randint(1, changes // 2))
        assert again in (0, -signal.SIGKILL)
        assert attempt(folder, masked_lm) == 0, (folder / "said.txt").read_text("utf-8")
        (folder / "said.txt").unlink()
        as_unbroken(folder, unbroken)


@pytest.mark.parametrize("name", ["train_aug.tsv", "train_aug.json"])
def test_killed_before_the_rows_or_their_record_take_their_place(
    tmp_path, masked_lm, unbroken, name
):
    """Rows whose record is not written yet are known for our own."""
    write_rows(tmp_path)
    renamed = f"os.rename {tmp_path / 'SST-2' / f'.{name}.'}"
    assert attempt(tmp_path, masked_lm, before=renamed) == -signal.SIGKILL
    assert (tmp_path / "SST-2" / "train_aug.tsv").is_file() == (name == "train_aug.json")
    assert not (tmp_path / "SST-2" / "train_aug.json").exists()
    assert attempt(tmp_path, masked_lm) == 0, (tmp_path / "said.txt").read_text("utf-8")
    as_unbroken(tmp_path, unbroken)


def test_candidates_that_are_there_are_not_looked_for_again(tmp_path, masked_lm, monkeypatch):
    write_rows(tmp_path)
    looked: list[int] = []
    from chatstill.augment import units

    def stopping(finder, folder, unit):
        if len(looked) == 3:
            raise KeyboardInterrupt
        looked.append(unit)
        return plain(finder, folder, unit)

    plain = units.find_unit
    monkeypatch.setattr(units, "find_unit", stopping)
    with pytest.raises(KeyboardInterrupt):
        run(get_task("sst2"), tmp_path, KEYS, masked_lm)
    monkeypatch.setattr(units, "find_unit", lambda *a: looked.append(a[2]) or plain(*a))
    run(get_task("sst2"), tmp_path, KEYS, masked_lm)
    assert sorted(looked) == list(range(len(looked))) and len(looked) > 5


def test_kept_candidates_serve_other_copies(tmp_path, masked_lm, monkeypatch):
    """Rows, record and bytes are those of candidates that are looked for anew."""
    from chatstill.augment import units

    anew, kept = tmp_path / "anew", tmp_path / "kept"
    keeping = KEYS.model_copy(update={"keep_candidates": True})
    other = {"copies": 2, "seed": 6, "probability": 0.7}
    for folder in (anew, kept):
        write_rows(folder)
    run(get_task("sst2"), anew, KEYS.model_copy(update=other), masked_lm)
    _, _, told = run(get_task("sst2"), kept, keeping, masked_lm)
    place = kept / "SST-2" / ".train_aug.tsv.work"
    assert str(place) in "\n".join(told.lines)
    assert not {*place.glob("*.table"), *place.glob("pending*")}
    monkeypatch.setattr(units, "find_unit", None)
    run(get_task("sst2"), kept, keeping.model_copy(update=other), masked_lm)
    assert written(kept)[0] == written(anew)[0]
    run(get_task("sst2"), kept, keeping.model_copy(update=other), masked_lm)
    assert place.is_dir(), "rows that are there already take nothing away"
    run(get_task("sst2"), kept, KEYS.model_copy(update=other), masked_lm)
    assert not place.exists(), "unless they are not to be kept any more"


@pytest.mark.parametrize("damaged", ["candidates-000002.json", "candidates-000000.json"])
def test_kept_candidates_that_are_damaged_are_found_anew(tmp_path, masked_lm, damaged):
    keeping = KEYS.model_copy(update={"keep_candidates": True})
    write_rows(tmp_path)
    output, _, _ = run(get_task("sst2"), tmp_path, keeping, masked_lm)
    whole = output.read_bytes()
    file = output.with_name(f".{output.name}.work") / damaged
    file.write_bytes(file.read_bytes()[:40] if damaged.endswith("2.json") else b"[]")
    output.unlink()
    output, _, told = run(get_task("sst2"), tmp_path, keeping, masked_lm)
    assert output.read_bytes() == whole
    assert told.done["sentences"][0] == 5, "one unit"


def test_what_is_wrong_with_the_model_is_told_before_kept_candidates_go(tmp_path, masked_lm):
    write_rows(tmp_path)
    keeping = KEYS.model_copy(update={"keep_candidates": True})
    run(get_task("sst2"), tmp_path, keeping, masked_lm)
    headless = tmp_path / "headless"
    by_hand.network().base_model.save_pretrained(headless)
    by_hand.tokenizer().save_pretrained(headless)
    with refused("augment.head-not-trained"):
        run(get_task("sst2"), tmp_path, keeping, Named(str(headless), "place"))
    (tmp_path / "SST-2" / "train_aug.json").unlink()
    (tmp_path / "SST-2" / "train_aug.tsv").unlink()
    _, _, told = run(get_task("sst2"), tmp_path, keeping, masked_lm)
    assert "sentences" not in told.done, "the candidates are there still"


def test_candidates_of_other_rows_or_numbers_are_looked_for_anew(tmp_path, masked_lm):
    write_rows(tmp_path)
    keeping = KEYS.model_copy(update={"keep_candidates": True})
    run(get_task("sst2"), tmp_path, keeping, masked_lm)
    for changes in ({"candidates": 5}, {"bf16": True}):
        named = dataclasses.replace(masked_lm, bf16="bf16" in changes)
        _, _, told = run(get_task("sst2"), tmp_path, keeping.model_copy(update=changes), named)
        assert told.done["sentences"][0] > 25


def test_bf16_writes_the_same_in_other_units(tmp_path, masked_lm, monkeypatch):
    """What a word is asked with does not show, as each row of a pass is computed alone."""
    bf16 = dataclasses.replace(masked_lm, bf16=True)
    keys = KEYS.model_copy(update={"bf16": True})
    write_rows(tmp_path / "one")
    _, record, _ = run(get_task("sst2"), tmp_path / "one", keys, bf16)
    assert record["made_of"]["settings"]["bf16"] is True
    write_rows(tmp_path / "other")
    monkeypatch.setattr(work, "UNIT", 7)
    run(get_task("sst2"), tmp_path / "other", keys, bf16)
    assert written(tmp_path / "one")[0] == written(tmp_path / "other")[0]


def test_two_at_once_do_not_write_the_same_file(tmp_path):
    from chatstill.augment.work import Work

    def second():
        with refused("augment.at-work"), Work.begin(tmp_path / "work", {}):
            pass

    with Work.begin(tmp_path / "work", {}):
        assert wait(fork(second, tmp_path / "said.txt")) == 0


@pytest.mark.slow
def test_workers_end_with_their_parent(tmp_path, masked_lm):
    """SIGKILL while three processes are at work: none is left, and nothing is printed of it."""
    write_rows(tmp_path, 4000)
    keys = KEYS.model_copy(update={"workers": 3})
    parent = fork(
        lambda: run(get_task("sst2"), tmp_path, keys, masked_lm) and 0, tmp_path / "said.txt"
    )
    work_folder = tmp_path / "SST-2" / ".train_aug.tsv.work"

    def workers():
        return [
            path
            for path in Path("/proc").glob("[0-9]*/cmdline")
            if str(work_folder).encode() in _content(path)
        ]

    def at_work():
        assert parent.exitcode is None, (tmp_path / "said.txt").read_text("utf-8")
        return any(work_folder.glob("candidates-*"))

    until(at_work, 120, "a unit")
    assert workers(), "all were done already"
    os.kill(parent.pid, signal.SIGKILL)
    assert wait(parent) == -signal.SIGKILL
    until(lambda: not workers(), 30, "the end of the workers")
    assert "Traceback" not in (tmp_path / "said.txt").read_text("utf-8")


def _content(path):
    try:
        return path.read_bytes()
    except OSError:  # it has ended
        return b""
