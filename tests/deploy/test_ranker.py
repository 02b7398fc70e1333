"""Ranking: the order, ties, candidates of the user's, dialogues, labels, and the first stage."""

import json
import math

import numpy as np
import pytest
import torch

import chatstill
from chatstill.deploy import change, measure, nearest
from chatstill.deploy.index import Index
from chatstill.deploy.network import open_network
from chatstill.deploy.ranker import Ranker
from chatstill.deploy.relevance import Relevance, relevance_of
from tests.deploy.serving import QUERIES, REPLIES, Quiet, build, by_pairs, named, plain, saved
from tests.found import refused

WORDS = "red cat box you go why sing".split()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return saved(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def model(folder):
    return open_network(folder)


@pytest.fixture(scope="module")
def index(model, tmp_path_factory):
    return build(model, tmp_path_factory.mktemp("index") / "index").folder


def test_best_first_with_the_probability_of_the_relevant_label(model, folder, index):
    ranker = chatstill.Ranker(folder, index)
    for query in QUERIES:
        wanted = by_pairs(model, query, REPLIES)
        order = sorted(REPLIES, key=lambda reply: -wanted[reply])
        found = ranker.rank(query, top=4)
        assert [one.reply for one in found] == order[:4]
        assert [one.rank for one in found] == [1, 2, 3, 4]
        for one in found:
            assert one.score == pytest.approx(1 / (1 + math.exp(-wanted[one.reply])), abs=2e-3)


def test_equal_scores_stand_in_the_order_of_the_index(model, index, monkeypatch):
    ranker = Ranker(model, index)
    monkeypatch.setattr(Relevance, "margin", lambda self, logits: logits[:, 0] * 0)
    assert [one.reply for one in ranker.rank("why", 3)] == list(Index(index).texts())[:3]


def test_no_reply_is_encoded_and_a_query_once(model, index, monkeypatch):
    ranker, calls = Ranker(model, index), []
    usual = model.model.encode_queries
    monkeypatch.setattr(model.model, "encode_documents", None)
    monkeypatch.setattr(
        model.model, "encode_queries", lambda *ids: (calls.append(ids[0].shape), usual(*ids))[1]
    )
    ranker.rank(QUERIES[0])
    assert calls == [torch.Size([1, 7])]


def test_only_the_candidates_that_are_named(model, tmp_path):
    folder = build(model, tmp_path / "index", named(a="sure", b="no", c="sure", d="why")).folder
    ranker = Ranker(model, folder)
    whole = {one.reply: one.score for one in ranker.rank("why")}
    found = ranker.rank("why", among=["c", "d", "a"])
    assert {one.reply for one in found} == {"sure", "why"}
    assert all(one.score == pytest.approx(whole[one.reply], abs=1e-6) for one in found)
    with refused("rank.no-such-reply", "'x'"):
        ranker.rank("why", among=["a", "x"])
    with pytest.raises(ValueError, match="no ids"):
        ranker.rank("why", among=[])


def test_turns_of_a_dialogue_are_read_as_the_rows_of_training_are(model, index):
    turns, reply = ["a red cat", "why", "sure"], "we go home now"
    separator = model.tokenizer.sep_token_id
    plain_ids = [model.tokenizer(turn, add_special_tokens=False)["input_ids"] for turn in turns]
    joined = [*plain_ids[0], separator, *plain_ids[1], separator, *plain_ids[2]]
    most = model.model.config.max_query_length
    assert len(joined) > most  # the oldest are cut
    cls = model.tokenizer.cls_token_id
    ids = torch.tensor([[cls, *joined[-most:], separator]])
    states, mask, *_ = model.model.encode_queries(ids, torch.ones_like(ids))
    document = model.encode_replies([reply])
    with torch.no_grad():
        logits = model.model.interact(states, mask, document.states, document.mask)[0]
    found = {one.reply: one.score for one in Ranker(model, index).rank(turns)}
    assert found[reply] == pytest.approx(float(torch.softmax(logits, -1)[1]), abs=2e-3)
    alone = {one.reply: one.score for one in Ranker(model, index).rank(turns[-1])}
    assert alone[reply] != pytest.approx(found[reply], abs=1e-3)


@pytest.mark.parametrize("query", [None, 5, b"abc", [1, 2], ["why", None]])
def test_what_is_no_text_is_told_in_words(query, model, index):
    with pytest.raises(TypeError, match="a query is a text"):
        Ranker(model, index).rank(query)


@pytest.mark.parametrize("top", [None, 1.5, True])
def test_top_is_a_whole_number(top, model, index):
    with pytest.raises(TypeError, match="whole number"):
        Ranker(model, index).rank("why", top)


@pytest.mark.parametrize("among", ["d5", [1, 5]])
def test_ids_are_a_list_of_texts(among, model, index):
    with pytest.raises(TypeError, match="list of ids"):
        Ranker(model, index).rank("why", among=among)


def test_half_a_character_is_refused(model, index):
    with refused("rank.surrogate"):
        Ranker(model, index).rank("a\ud800")


@pytest.mark.parametrize("query", ["", "  ", [], ["why", ""]])
def test_an_empty_query_is_refused(query, model, index):
    with refused("rank.empty-query"):
        Ranker(model, index).rank(query)


def test_top_has_to_be_one_or_more_and_above_the_size_gives_all(model, index):
    with pytest.raises(ValueError, match="1 or more"):
        Ranker(model, index).rank("why", 0)
    assert len(Ranker(model, index).rank("why", 99)) == len(REPLIES)


# -- what replies are ranked by ---------------------------------------------------------------------


class Config:
    def __init__(self, names, problem="single_label_classification"):
        self.num_labels, self.id2label = len(names), dict(enumerate(names))
        self.problem_type = problem


class Model:
    def __init__(self, *args):
        self.config = Config(*args)


LOGITS = torch.tensor([[1.0, 3.0, 0.5], [2.0, 2.0, 2.0]])


def test_the_names_of_the_labels_say_which_is_relevant():
    found = relevance_of(Model(["yes", "no"]), None)
    assert found.margin(LOGITS[:, :2]).tolist() == [-2.0, 0.0] and found.column == 0
    assert found.score(-2.0) == pytest.approx(1 / (1 + math.exp(2)))


def test_the_class_that_counted_in_training_counts_here_too():
    """``true`` was taken for its name alone, and the best replies came last."""
    model = Model(["true", "False"])
    model.config.chatstill = {"positive_label": "false"}
    assert relevance_of(model, None).column == 1
    assert relevance_of(model, "true").column == 0
    model = Model(["apple", "pear"])
    model.config.chatstill = {"positive_label": "pear"}
    assert relevance_of(model, None).column == 1


def test_of_several_classes_it_is_the_log_odds_of_the_named_one():
    found = relevance_of(Model(["a", "b", "c"]), "b")
    one, others = math.exp(3), math.exp(1) + math.exp(0.5)
    assert found.margin(LOGITS).tolist() == pytest.approx([math.log(one / others), -math.log(2)])
    assert found.score(math.log(one / others)) == pytest.approx(one / (one + others))


def test_one_output_is_a_probability_or_a_score():
    sigmoid = relevance_of(Model(["1"], "multi_label_classification"), None)
    assert sigmoid.score(2.0) == pytest.approx(1 / (1 + math.exp(-2)))
    assert relevance_of(Model(["score"], "regression"), None).score(2.5) == 2.5
    several = relevance_of(Model(["a", "b"], "multi_label_classification"), "b")
    assert several.margin(LOGITS).tolist() == [3.0, 2.0]


def test_labels_that_say_nothing_have_to_be_named():
    with refused("rank.label-not-told", "'LABEL_0', 'LABEL_1'"):
        relevance_of(Model(["LABEL_0", "LABEL_1"]), None)
    with refused("rank.no-such-label", "'b'"):
        relevance_of(Model(["0", "1"]), "b")


# -- the first stage --------------------------------------------------------------------------------


@pytest.mark.parametrize("exact", [True, False], ids=["compared with all", "by the graph"])
def test_nothing_near_is_lost_among_vectors_of_unequal_length(exact, tmp_path, monkeypatch, model):
    pytest.importorskip("usearch")
    monkeypatch.setattr(nearest, "EXACT", 10**9 if exact else 0)
    texts = [f"{a} {b} {c}" for a in WORDS for b in WORDS for c in WORDS]
    built = build(model, tmp_path / "index", texts, first_stage=20, queries=QUERIES)
    vectors = np.concatenate([one.tensors["vector"].float().numpy() for one in built.index.shards])
    lengths = np.linalg.norm(vectors, axis=-1)
    assert len(texts) == 343 and lengths.max() > 1.03 * lengths.min()
    for query in QUERIES:
        vector = model.encode_query(query).vector[0].numpy()
        best = set(np.argsort(-(vectors @ vector), kind="stable")[:20].tolist())
        found = nearest.Neighbours(built.index).rows(vector, 20).tolist()
        assert len(best & set(found)) >= (20 if exact else 19), query


def test_with_the_further_number_the_order_by_angle_is_the_order_by_product():
    draws = np.random.default_rng(3)
    vectors = draws.normal(size=(200, 6)) * draws.uniform(0.1, 10, size=(200, 1))
    radius = np.linalg.norm(vectors, axis=-1).max()
    longer = nearest._equally_long(vectors, radius)
    assert np.allclose(np.linalg.norm(longer, axis=-1), radius)
    asked = draws.normal(size=6)
    angles = longer @ np.append(asked, 0) / np.linalg.norm(longer, axis=-1)
    assert np.argsort(-angles).tolist() == np.argsort(-(vectors @ asked)).tolist()
    plain = vectors @ asked / np.linalg.norm(vectors, axis=-1)
    assert np.argsort(-plain)[:10].tolist() != np.argsort(-(vectors @ asked))[:10].tolist()


@pytest.fixture(scope="module")
def near(model, tmp_path_factory):
    pytest.importorskip("usearch")
    texts = [
        f"{a} {b}" for a in ("red", "cat", "box", "you", "go") for b in "we why me ask sing".split()
    ]
    return build(
        model, tmp_path_factory.mktemp("near") / "index", texts, first_stage=10, queries=QUERIES
    )


def test_the_nearest_are_those_of_the_largest_product_of_vectors(near, model):
    index = near.index
    vectors = np.concatenate([shard.tensors["vector"].float().numpy() for shard in index.shards])
    neighbours = nearest.Neighbours(index)
    for query in QUERIES:
        vector = model.encode_query(query).vector[0].numpy()
        best = np.sort(np.argsort(-(vectors @ vector), kind="stable")[:10])
        assert neighbours.rows(vector, 10).tolist() == best.tolist()


def test_only_the_nearest_are_scored_where_there_are_more(near, model):
    vector = model.encode_query("why").vector[0].numpy()
    rows = nearest.Neighbours(near.index).rows(vector, 10)
    found = Ranker(model, near.index, first_stage=10).rank("why", 99)
    assert {one.reply for one in found} == {near.index.text(int(row)) for row in rows}
    whole = {one.reply: one.score for one in Ranker(model, near.index).rank("why", 99)}
    assert all(one.score == pytest.approx(whole[one.reply], abs=1e-6) for one in found)
    assert len(Ranker(model, near.index, first_stage=25).rank("why", 99)) == 25


def test_recall_is_the_share_of_the_true_top_ten_and_a_low_one_is_warned_of(near, model):
    shares = []
    for query in QUERIES:
        encoded = model.encode_query(query)
        rows = nearest.Neighbours(near.index).rows(encoded.vector[0].numpy(), 10)
        known = {near.index.text(int(row)) for row in rows}
        true = {one.reply for one in Ranker(model, near.index).rank(query, 10)}
        shares.append(len(known & true) / 10)
    recall = near.index.manifest.nearest.recall
    assert recall == pytest.approx(sum(shares) / 3) and recall < 0.95
    assert near.told.codes == ["index.low-recall", "index.no-two-tower"]
    assert "train with two_tower" in near.told.warnings[0].hint
    assert f"{100 * recall:.1f} %" in near.told.lines[-1] and "3 of" in near.told.lines[-1]


def test_removed_replies_are_no_candidates_and_added_ones_are(near, model, tmp_path):
    import shutil

    folder = shutil.copytree(near.folder, tmp_path / "index")
    first = Ranker(model, folder, first_stage=10).rank("why", 3)
    change.remove(folder, [one.reply for one in first], Quiet().desk)
    found = Ranker(model, folder, first_stage=10).rank("why", 99)
    assert not {one.reply for one in first} & {one.reply for one in found} and len(found) == 10
    keys = nearest._open(folder, Index(folder).manifest.nearest).keys
    assert len(keys) == 22  # the graph itself holds no removed reply
    change.add(model, plain([one.reply for one in first]), folder, Quiet(QUERIES).desk)
    assert len(nearest._open(folder, Index(folder).manifest.nearest)) == 25
    assert Ranker(model, folder, first_stage=10).rank("why", 3)[0].reply == first[0].reply
    change.compact(folder, Quiet().desk)
    assert Ranker(model, folder, first_stage=10).rank("why", 3)[0].reply == first[0].reply


def test_a_graph_that_a_writer_removes_while_the_network_is_loaded_stays_readable(
    near, model, tmp_path, monkeypatch
):
    import shutil

    from chatstill.deploy import index as module

    folder = shutil.copytree(near.folder, tmp_path / "index")
    opened = Index(folder)
    before = Ranker(model, folder, first_stage=10).rank("why", 3)
    change.remove(folder, [before[0].reply], Quiet().desk)
    assert not (folder / opened.manifest.nearest.file).exists()
    assert Ranker(model, opened, first_stage=10).rank("why", 3) == before
    # Or removes it after the manifest was read: then the manifest is read again.
    read, states = module.read_manifest, [opened.manifest]
    monkeypatch.setattr(module, "read_manifest", lambda *a: states.pop() if states else read(*a))
    found = Ranker(model, folder, first_stage=10).rank("why", 2)
    assert not states and [one.reply for one in found] == [one.reply for one in before[1:]]


def test_an_index_without_neighbours_and_a_damaged_graph(model, index, near, tmp_path):
    import shutil

    with refused("rank.no-neighbours"):
        Ranker(model, index, first_stage=10)
    folder = shutil.copytree(near.folder, tmp_path / "index")
    path = next(folder.glob("nearest-*"))
    data = path.read_bytes()
    path.write_bytes(data[:-8])
    with refused("index.neighbours-of-another-size", str(path)):
        Ranker(model, folder, first_stage=10)
    path.write_bytes(b"x" * len(data))
    with refused("index.neighbours-unreadable", str(path)):
        Ranker(model, folder, first_stage=10)
    path.unlink()
    with refused("index.neighbours-unreadable", str(path)):
        Ranker(model, folder, first_stage=10)


def test_without_usearch_it_is_said_before_anything_is_encoded(model, tmp_path, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "usearch.index", None)
    with refused("index.usearch-not-installed", "chatstill[index]"):
        build(model, tmp_path / "index", first_stage=10)
    assert not (tmp_path / "index").exists()


# -- what a smaller form costs ----------------------------------------------------------------------


def test_the_effect_of_a_form_is_counted_against_float32(model, tmp_path, monkeypatch):
    built = build(model, tmp_path / "index", dtype="int8", queries=QUERIES)
    relevance = relevance_of(model.model, None)
    sample = measure.sample_queries(built.index, QUERIES)
    monkeypatch.setattr(measure, "TOP", 3)
    said = measure.effect_of_form(model, built.index, relevance, sample)
    kept, same, moved = 0.0, 0, 0.0
    for query in QUERIES:
        wanted = by_pairs(model, query, REPLIES)
        ranker = Ranker(model, built.index)
        rows, margins = ranker._scorer.margins(model.encode_query(query))
        ours = {
            built.index.text(int(row)): float(one) for row, one in zip(rows, margins, strict=True)
        }
        tops = [sorted(REPLIES, key=lambda r, s=scores: -s[r])[:3] for scores in (wanted, ours)]
        kept += len(set(tops[0]) & set(tops[1])) / 3 / 3
        same += tops[0][0] == tops[1][0]
        moved += sum(abs(wanted[r] - ours[r]) for r in REPLIES) / len(REPLIES) / 3
    assert f"{100 * kept:.1f} % of the top 3 of 10 replies" in said
    assert f"{same} of 3" in said and f"by {moved:.4f}" in said
    assert json.loads((built.folder / "index.json").read_text())["index"]["remarks"]


def test_without_queries_replies_are_asked_and_that_is_said(model, tmp_path):
    built = build(model, tmp_path / "index", dtype="int8")
    assert "asked 10 replies as if they were queries" in built.told.lines[-1]
