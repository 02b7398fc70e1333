"""The folder of an index: whose it is, what it holds, what happens to damage, and who may write."""

import json
import os
import shutil

import numpy as np
import pytest

from chatstill.data.caches import find_caches
from chatstill.data.store import locked
from chatstill.deploy import change
from chatstill.deploy.folder import BUILDING, FILE, LOCK
from chatstill.deploy.index import Index, batch_end
from chatstill.deploy.network import open_network
from chatstill.deploy.ranker import Ranker
from chatstill.errors import UserError
from tests.deploy.serving import (
    QUERIES,
    REPLIES,
    Quiet,
    build,
    content,
    margins,
    named,
    plain,
    saved,
)
from tests.found import codes, refused


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return open_network(saved(tmp_path_factory.mktemp("model")))


@pytest.fixture(scope="module")
def other(tmp_path_factory):
    return open_network(saved(tmp_path_factory.mktemp("other"), copy_from=0))


@pytest.fixture
def small(model, tmp_path):
    return build(model, tmp_path / "index")


@pytest.fixture
def shards(monkeypatch):
    """Small shards, so that an index has several."""
    monkeypatch.setattr("chatstill.deploy.build.SHARD_BYTES", 1500)


# -- what is said and stored ------------------------------------------------------------------------


def test_bytes_are_said_first_and_are_the_bytes_of_the_numbers(model, tmp_path):
    built = build(model, tmp_path / "index")
    tokens = sum(min(len(text.split()), 9) + 2 for text in REPLIES)
    size = 2 * 16 * (2 * tokens + 2 * len(REPLIES))  # keys and values; [CLS] row and [CLS] vector
    first = built.told.lines[0]
    assert first.startswith(f"10 replies, {tokens} tokens: ") and f"{size:,} bytes in all" in first
    shard = built.index.shards[0]
    names = ("keys", "values", "cls", "vector")
    assert sum(shard.tensors[name].nbytes for name in names) == size
    assert built.told.total == sum(built.told.rows) == 10


def test_batches_are_bounded_by_their_longest_reply():
    tokens = np.array([3, 3, 3, 4, 9, 10, 10, 30])
    ends, start = [], 0
    while start < len(tokens):
        start = batch_end(tokens, start, 20, 3)
        ends.append(start)
    assert ends == [3, 5, 7, 8]  # 3 rows; 2 of 9; 2 of 10; one that is too long by itself


def test_progress_goes_by_batches(model, tmp_path, monkeypatch):
    monkeypatch.setattr("chatstill.deploy.build.ENCODE_TOKENS", 16)
    rows = build(model, tmp_path / "index").told.rows
    assert len(rows) > 4 and max(rows) <= 5 and sum(rows) == 10


def test_cut_replies_are_counted(model, tmp_path):
    built = build(model, tmp_path / "index")
    assert built.told.codes == ["index.replies-cut"]
    assert "2 of 10" in built.told.warnings[0].message


def test_equal_replies_are_stored_once_and_keep_all_their_ids(model, tmp_path):
    built = build(model, tmp_path / "index", named(a="sure", b="no", c="sure", d="why"))
    assert len(built.index) == built.index.num_rows == 3
    first = {one.reply: one.ids for one in Ranker(model, built.index).rank("why")}
    assert first == {"sure": ("a", "c"), "no": ("b",), "why": ("d",)}
    change.remove(built.folder, ["a"], Quiet().desk)
    left = {one.reply: one.ids for one in Ranker(model, built.folder).rank("why")}
    assert left == {"sure": ("c",), "no": ("b",), "why": ("d",)}
    change.remove(built.folder, ["c"], Quiet().desk)
    assert {one.reply for one in Ranker(model, built.folder).rank("why")} == {"no", "why"}


def test_replies_without_ids_are_numbered_on(model, tmp_path):
    folder = build(model, tmp_path / "index", ["sure", "no"]).folder
    change.add(model, plain(["why", "no", "a cat"]), folder, Quiet().desk)
    change.remove(folder, ["no"], Quiet().desk)
    change.compact(folder, Quiet().desk)
    found = {one.reply: one.ids for one in Ranker(model, folder).rank("why")}
    assert found == {"sure": ("1",), "why": ("3",), "a cat": ("4",)}


def test_a_removed_reply_that_comes_back_is_not_encoded_again(model, tmp_path):
    folder = build(model, tmp_path / "index", named(a="sure", b="no")).folder
    change.remove(folder, ["a"], Quiet().desk)
    told = Quiet()
    change.add(model, named(x="sure"), folder, told.desk)
    assert told.total == 0
    assert {one.reply: one.ids for one in Ranker(model, folder).rank("why")} == {
        "sure": ("x",),
        "no": ("b",),
    }


def test_compacting_gives_the_room_of_removed_replies_back(small):
    before = content(small.folder)
    change.remove(small.folder, REPLIES[:8], Quiet().desk)
    shard = next(name for name in before if name.startswith("shard"))
    assert content(small.folder)[shard] == before[shard]
    change.compact(small.folder, Quiet().desk)
    after = content(small.folder)
    assert shard not in after and sum(map(len, after.values())) < sum(map(len, before.values())) / 2
    told = Quiet()
    change.compact(small.folder, told.desk)
    assert content(small.folder) == after and "nothing" in told.lines[0]


# -- whose folder it is -----------------------------------------------------------------------------


def test_a_folder_of_others_is_not_touched(model, tmp_path):
    (tmp_path / "mine.txt").write_text("x")
    with refused("index.folder-of-others", str(tmp_path)):
        build(model, tmp_path)
    with refused("index.out-is-a-file"):
        build(model, tmp_path / "mine.txt")
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_complete_index_is_left_alone_unless_asked(small, model):
    before = content(small.folder)
    again = build(model, small.folder)
    assert content(small.folder) == before and "nothing to do" in again.told.lines[-1]
    for more in ({"replies": ["sure"]}, {"dtype": "int8"}, {"hold": "states"}):
        with refused("index.there-already"):
            build(model, small.folder, **more)
    assert content(small.folder) == before
    assert len(build(model, small.folder, ["sure"], fresh=True).index) == 1


@pytest.mark.parametrize(
    "kind", [plain, lambda texts: named(**{f"k{n}": t for n, t in enumerate(texts)})]
)
def test_an_index_that_was_changed_is_not_that_of_the_file_any_more(model, tmp_path, kind):
    file, folder = kind(REPLIES), tmp_path / "index"
    names = ["k3", "k4"] if file.named else REPLIES[3:5]
    build(model, folder, file)
    change.remove(folder, names, Quiet().desk)
    before = content(folder)
    gone = f"2 of the file's {len(REPLIES)} replies were removed from it"
    with refused("index.there-already", gone, "--add FILE"):
        build(model, folder, file)
    with refused("index.there-already", "another form"):
        build(model, folder, file, dtype="int8")
    assert content(folder) == before
    change.compact(folder, Quiet().desk)
    with refused("index.there-already", f"2 of the file's {len(REPLIES)} replies are not in it"):
        build(model, folder, file)
    change.add(model, file, folder, Quiet().desk)
    assert len(Index(folder)) == len(REPLIES)
    with refused("index.there-already", "it holds the same"):
        build(model, folder, file)


def test_an_index_with_further_replies_is_not_that_of_the_file_alone(small, model):
    change.add(model, plain(["now"]), small.folder, Quiet().desk)
    with refused("index.there-already", f"1 of its {len(REPLIES) + 1} replies is not the file's"):
        build(model, small.folder)
    change.remove(small.folder, ["now", "sure"], Quiet().desk)
    with refused("index.there-already", "replies was removed from it") as caught:
        build(model, small.folder)
    assert "not the file's" not in str(caught.value)


def test_files_of_other_states_are_removed_and_what_is_not_ours_stays(small, model):
    (small.folder / "notes.txt").write_text("mine")
    build(model, small.folder, ["sure"], fresh=True)
    kinds = sorted(path.name.split("-")[0] for path in small.folder.iterdir())
    assert kinds == [LOCK, FILE, "names", "notes.txt", "shard"]


def test_another_networks_index_is_refused_with_both_fingerprints(small, other):
    prints = small.served.fingerprint[:16], other.fingerprint[:16]
    with refused("index.of-another-network", *prints):
        Ranker(other, small.folder)
    with refused("index.of-another-network", *prints):
        change.add(other, plain(["now"]), small.folder, Quiet().desk)


def test_the_fingerprint_is_of_weights_lengths_and_tokenizer_not_of_places(tmp_path):
    folder = saved(tmp_path / "model")
    known = open_network(folder).fingerprint
    moved = shutil.copytree(folder, tmp_path / "moved")
    assert open_network(moved).fingerprint == known
    config = json.loads((moved / "config.json").read_text())
    (moved / "config.json").write_text(json.dumps({**config, "max_reply_length": 8}))
    shorter = open_network(moved).fingerprint
    (moved / "config.json").write_text(json.dumps(config))
    text = (moved / "tokenizer.json").read_text().replace('"sure"', '"surely"')
    (moved / "tokenizer.json").write_text(text)
    assert len({shorter, open_network(moved).fingerprint, known}) == 3


def test_caches_are_looked_for_and_indexes_left_alone(small):
    assert find_caches(small.folder) == [] and find_caches(small.folder.parent) == []


# -- writers and readers ----------------------------------------------------------------------------


def test_a_second_writer_is_refused_and_readers_are_not(small, model):
    with locked(small.folder / LOCK, wait=False):
        number = os.fork()
        if number == 0:
            code = 0
            for work in (
                lambda: change.remove(small.folder, ["sure"], Quiet().desk),
                lambda: change.compact(small.folder, Quiet().desk),
                lambda: change.add(model, plain(["now"]), small.folder, Quiet().desk),
                lambda: build(model, small.folder),
            ):
                try:
                    work()
                    code = 1
                except UserError as error:
                    code = code or int(codes(error) != ["index.second-writer"])
            try:
                Ranker(model, small.folder)
            except UserError:
                code = 2
            os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(number, 0)[1]) == 0


def test_a_reader_keeps_what_it_opened(small, model):
    ranker = Ranker(model, small.folder)
    before = ranker.rank(QUERIES[0])
    change.remove(small.folder, REPLIES[1:], Quiet().desk)
    change.compact(small.folder, Quiet().desk)
    assert ranker.rank(QUERIES[0]) == before
    shutil.rmtree(small.folder)
    assert ranker.rank(QUERIES[0]) == before


def test_a_reader_that_comes_between_manifest_and_files_reads_the_manifest_again(
    small, model, monkeypatch
):
    from chatstill.deploy import index as module

    read, states = module.read_manifest, [Index(small.folder).manifest]
    change.remove(small.folder, ["sure"], Quiet().desk)
    change.compact(small.folder, Quiet().desk)
    monkeypatch.setattr(module, "read_manifest", lambda *a: states.pop() if states else read(*a))
    assert len(Index(small.folder)) == len(REPLIES) - 1 and not states


# -- damage -----------------------------------------------------------------------------------------


def shard_of(folder):
    return sorted(folder.glob("shard-*"))[0]


def truncated(folder):
    path = shard_of(folder)
    path.write_bytes(path.read_bytes()[:-1])


def swapped(folder):
    first, second = sorted(folder.glob("shard-*"))[:2]
    data = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(data)


def of_the_same_size(folder):
    path = shard_of(folder)
    data = bytearray(path.read_bytes())
    data[20] ^= 1
    path.write_bytes(data)


def missing(folder):
    shard_of(folder).unlink()


def manifest_changed(folder):
    path = folder / FILE
    path.write_text(path.read_text().replace('"dtype": "fp16"', '"dtype": "bf16"'))


def manifest_of_another_version(folder):
    path = folder / FILE
    path.write_text(path.read_text().replace('"format": 1', '"format": 2'))


def manifest_no_json(folder):
    (folder / FILE).write_text("{")


def manifest_with_a_path(folder):
    from chatstill.data.fingerprint import fingerprint

    signed = json.loads((folder / FILE).read_text())
    signed["index"]["shards"][0]["file"] = "../shard-0.safetensors"
    signed["sha256"] = fingerprint(signed["index"])
    (folder / FILE).write_text(json.dumps(signed))


DAMAGE = {
    truncated: "index.file-of-another-size",
    swapped: ("index.file-of-another-size", "index.another-file"),
    of_the_same_size: "index.another-file",
    missing: "index.file-missing",
    manifest_changed: "index.manifest-damaged",
    manifest_of_another_version: "index.another-format",
    manifest_no_json: "index.manifest-unreadable",
    manifest_with_a_path: "index.manifest-damaged",
}


@pytest.mark.parametrize("damage", DAMAGE, ids=lambda one: one.__name__)
def test_damage_is_one_message_that_names_the_file_and_fresh_mends_it(
    damage, model, tmp_path, shards
):
    folder = build(model, tmp_path / "index").folder
    before = content(folder)
    assert len(list(folder.glob("shard-*"))) > 3
    damage(folder)
    with pytest.raises(UserError) as error:
        Ranker(model, folder)
    assert len(codes(error)) == 1 and codes(error)[0] in DAMAGE[damage]
    assert str(folder) in error.value.problems[0].place
    build(model, folder, fresh=True)
    assert content(folder) == before


def test_an_index_that_was_interrupted_says_so_and_goes_on(model, tmp_path, shards, monkeypatch):
    whole = build(model, tmp_path / "whole")
    folder, written = tmp_path / "index", []
    from chatstill.deploy import build as module

    usual = module.write_tensors

    def stops(path, *more):
        if len(written) == 3:
            raise KeyboardInterrupt
        written.append(path.name)
        usual(path, *more)

    monkeypatch.setattr(module, "write_tensors", stops)
    with pytest.raises(KeyboardInterrupt):
        build(model, folder)
    with refused("index.not-complete", str(folder)):
        Ranker(model, folder)
    assert sorted(p.name for p in folder.glob("shard-*")) == written
    again = []
    monkeypatch.setattr(
        module, "write_tensors", lambda path, *m: (again.append(path.name), usual(path, *m))
    )
    told = build(model, folder).told
    assert not set(again) & set(written) and sum(told.rows) == len(REPLIES)
    assert content(folder) == content(whole.folder)
    assert not (folder / BUILDING).exists()


def test_a_folder_without_an_index_is_told_from_one_that_is_not_there(model, tmp_path):
    with refused("index.none", "is no index"):
        Ranker(model, tmp_path)
    with refused("index.none", "is not there"):
        Ranker(model, tmp_path / "nothing")
    for work in (
        lambda: change.remove(tmp_path, ["a"], Quiet().desk),
        lambda: change.compact(tmp_path, Quiet().desk),
        lambda: change.add(model, plain(["a"]), tmp_path, Quiet().desk),
    ):
        with refused("index.none"):
            work()
    assert not list(tmp_path.iterdir())


def test_a_disk_too_small_is_refused_before_anything_is_encoded(model, tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr("chatstill.deploy.build.shutil.disk_usage", lambda folder: usage)
    told = Quiet()
    with refused("index.disk-too-small", "1 kB"):
        change.build(model, plain(REPLIES), tmp_path / "index", change.Form(), told.desk)
    assert told.rows == [] and not list((tmp_path / "index").glob("shard-*"))


# -- names ------------------------------------------------------------------------------------------


def test_names_that_are_not_there_and_nothing_is_removed(small, model, tmp_path):
    before = content(small.folder)
    with refused("index.not-there", "'never'", "1 reply is"):
        change.remove(small.folder, ["sure", "never"], Quiet().desk)
    assert content(small.folder) == before
    folder = build(model, tmp_path / "named", named(a="sure")).folder
    with refused("index.not-there", "'sure'", "1 id is"):
        change.remove(folder, ["sure"], Quiet().desk)


def test_an_id_with_another_reply_is_refused_and_with_the_same_passed_over(model, tmp_path):
    folder = build(model, tmp_path / "index", named(a="sure", b="no")).folder
    before, told = content(folder), Quiet()
    with refused("index.id-there-already", "'a'"):
        change.add(model, named(a="why", c="now"), folder, told.desk)
    change.add(model, named(a="sure"), folder, told.desk)
    assert (
        content(folder) == before
        and "1 of 1 ids with these replies are there already" in told.lines[0]
    )
    with refused("index.other-kind-of-file"):
        change.add(model, plain(["now"]), folder, told.desk)


def test_an_index_of_nothing_is_told(small, model):
    change.remove(small.folder, REPLIES, Quiet().desk)
    with refused("rank.empty-index", str(small.folder)):
        Ranker(model, small.folder)
    change.compact(small.folder, Quiet().desk)
    change.add(model, plain(["now"]), small.folder, Quiet().desk)
    assert margins(model, Index(small.folder), "why").keys() == {"now"}
