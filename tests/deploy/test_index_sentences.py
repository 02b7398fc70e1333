"""An index of sentence vectors: the classifier on stored vectors is the network on pairs; else the cosine."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from chatstill.deploy import change, nearest, numbers, sentences
from chatstill.deploy.index import Index
from chatstill.deploy.network import open_network
from chatstill.deploy.ranker import Ranker
from chatstill.models.own import CLASSIFIER, UNTRAINED
from chatstill.models.save import save_student
from tests.deploy.serving import (
    QUERIES,
    REPLIES,
    Quiet,
    build,
    by_pairs,
    content,
    margins,
    plain,
    saved_sentences,
)
from tests.found import refused

FORMS = {
    "static": {"kind": "static"},
    "bilstm": {"kind": "bilstm"},
    "bilstm, attention, no hidden layer": {"kind": "bilstm", "pooling": "attention", "hidden": 0},
    "ltd": {"kind": "ltd"},
    "ltd, one logit": {"kind": "ltd", "outputs": 1},
    "elmo": {"kind": "elmo"},
}
CLOSE = {"fp16": 3e-3, "bf16": 3e-2, "int8": 6e-2}
UNKNOWN = "zzz zzz"


@pytest.fixture(scope="module")
def model_of(tmp_path_factory):
    made = {}

    def opened(form, **more):
        key = (form, *more.items())
        if key not in made:
            folder = saved_sentences(
                tmp_path_factory.mktemp("model") / "one", **FORMS[form], **more
            )
            made[key] = open_network(folder)
        return made[key]

    return opened


@pytest.fixture(scope="module")
def by_cosine(model_of):
    return model_of("ltd", texts=1, outputs=1)


def differences(built, replies=REPLIES):
    found = []
    for query in QUERIES:
        wanted = by_pairs(built.served, query, replies)
        ours = margins(built.served, built.index, query)
        assert ours.keys() == wanted.keys()
        scale = max(abs(value) for value in wanted.values()) + 1
        found += [abs(ours[reply] - wanted[reply]) / scale for reply in replies]
    assert max(wanted.values()) - min(wanted.values()) > 10 * CLOSE["fp16"]
    return max(found)


def cosines(served, query, replies):
    """By hand, of each text alone."""
    vectors = [vector_of(served, text) for text in (query, *replies)]
    lengths = [max(np.linalg.norm(one), 1e-12) for one in vectors]
    asked = vectors[0] / lengths[0]
    return {
        reply: float(asked @ one / length)
        for reply, one, length in zip(replies, vectors[1:], lengths[1:], strict=True)
    }


@torch.no_grad()
def vector_of(served, text):
    row = served.tokenizer([text], return_tensors="pt")
    return served.model.text_vectors(row["input_ids"], row["attention_mask"])[0].double().numpy()


# -- the score ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMS)
def test_each_network_scores_out_of_its_vectors_as_it_scores_pairs(form, model_of, tmp_path):
    built = build(model_of(form), tmp_path / "index")
    assert differences(built) < CLOSE["fp16"]
    assert built.index.manifest.form == "vectors, fp16"


@pytest.mark.parametrize("dtype", CLOSE)
@pytest.mark.parametrize("form", ["static", "ltd"])
def test_each_kind_of_numbers_stays_close(form, dtype, model_of, tmp_path):
    built = build(model_of(form), tmp_path / "index", dtype=dtype, queries=QUERIES)
    assert differences(built) < CLOSE[dtype]
    said = [line for line in built.told.lines if "int8 beside float32" in line]
    assert len(said) == (dtype == "int8")


def test_without_rounding_it_is_the_pairs_logit(model_of, tmp_path, monkeypatch):
    """What is left is float32's own."""
    monkeypatch.setitem(numbers.FLOATS, "fp16", torch.float32)
    assert differences(build(model_of("ltd"), tmp_path / "index")) < 1e-6


@pytest.mark.parametrize("dtype", CLOSE)
def test_a_network_of_one_text_ranks_by_cosine_and_says_so(dtype, by_cosine, tmp_path):
    replies = [*REPLIES, UNKNOWN]
    built = build(by_cosine, tmp_path / "index", replies, dtype=dtype)
    ranker = Ranker(by_cosine, built.index)
    assert "cosine" in ranker.relevance.meaning and "reads one text" in ranker.relevance.meaning
    for query in QUERIES:
        wanted = cosines(by_cosine, query, replies)
        found = {one.reply: one.score for one in ranker.rank(query, 99)}
        assert found == pytest.approx(wanted, abs=CLOSE[dtype])
        assert wanted[UNKNOWN] != 0  # of this network: an unknown word is a word
    assert max(found.values()) - min(found.values()) > 0.1


def test_a_classifier_that_nobody_taught_ranks_nothing(model_of, tmp_path):
    folder = saved_sentences(tmp_path / "model", extras={CLASSIFIER: UNTRAINED})
    served = open_network(folder)
    built = build(served, tmp_path / "index")
    ranker = Ranker(served, built.index)
    assert "was not trained" in ranker.relevance.meaning
    wanted = cosines(served, QUERIES[0], REPLIES)
    found = {one.reply: one.score for one in ranker.rank(QUERIES[0], 99)}
    assert found == pytest.approx(wanted, abs=CLOSE["fp16"])
    assert served.fingerprint != model_of("ltd").fingerprint


def test_a_label_is_refused_where_no_label_is_scored(by_cosine, model_of, tmp_path):
    built = build(by_cosine, tmp_path / "index")
    with refused("rank.no-labels", "cosine"):
        Ranker(by_cosine, built.index, label="0")
    with refused("rank.no-labels"):
        told = Quiet(label="0").desk
        change.build(by_cosine, plain(["no"]), tmp_path / "new", change.Form(), told)
    assert not (tmp_path / "new").exists()
    pairs = build(model_of("ltd"), tmp_path / "pairs")
    first = Ranker(model_of("ltd"), pairs.index, label="0").rank(QUERIES[0], 1)[0]
    assert first.reply == Ranker(model_of("ltd"), pairs.index).rank(QUERIES[0], 99)[-1].reply


def test_texts_without_a_known_word_are_zero_vectors_and_do_no_harm(tmp_path):
    served = open_network(saved_sentences(tmp_path / "model", "bilstm", texts=1))
    built = build(served, tmp_path / "index", ["sure", UNKNOWN, "why"])
    scores = {one.reply: one.score for one in Ranker(served, built.index).rank("why")}
    assert scores[UNKNOWN] == 0 and scores["why"] == pytest.approx(1, abs=1e-3)
    assert {one.score for one in Ranker(served, built.index).rank(UNKNOWN)} == {0.0}


def test_turns_of_a_dialogue_are_read_as_the_rows_of_training_are(model_of, tmp_path):
    from chatstill.data.encoded import Lengths
    from chatstill.readers.word_pieces import RowEncoder

    served = model_of("ltd")
    built = build(served, tmp_path / "index")
    turns, reply = ["a red cat", "why", "sure"], "we go home now"
    encoder = RowEncoder(served.tokenizer, Lengths(64, None, None, "right"))
    row = encoder([turns[-1]], [reply], [tuple(turns[:-1])])
    ids, types = torch.tensor(row.ids[None]), torch.tensor(row.types[None])
    with torch.no_grad():
        logits = served.model(ids.long(), token_type_ids=types.long()).logits[0]
    found = {one.reply: one.score for one in Ranker(served, built.index).rank(turns)}
    assert found[reply] == pytest.approx(float(torch.softmax(logits, -1)[1]), abs=2e-3)
    alone = {one.reply: one.score for one in Ranker(served, built.index).rank(turns[-1])}
    assert alone[reply] != pytest.approx(found[reply], abs=1e-3)


def test_no_reply_is_encoded_and_a_query_once(model_of, tmp_path, monkeypatch):
    served = model_of("ltd")
    ranker, calls = Ranker(served, build(served, tmp_path / "index").index), []
    usual = served.model.text_vectors
    monkeypatch.setattr(
        served.model, "text_vectors", lambda *row: (calls.append(row[0].shape), usual(*row))[1]
    )
    ranker.rank(QUERIES[0])
    assert calls == [torch.Size([1, 6])]  # five words and a separator


# -- what is stored -----------------------------------------------------------------------------------


def test_one_vector_a_reply_is_stored_and_its_bytes_are_said(model_of, tmp_path):
    built = build(model_of("ltd"), tmp_path / "index", [*REPLIES, REPLIES[0]])
    shard = built.index.shards[0].tensors
    assert {*shard} == {"vector", "tokens", "text", "text.ends"}
    assert shard["vector"].shape == (len(REPLIES), 7) and shard["vector"].dtype == torch.float16
    assert (
        built.told.lines[0].startswith("10 replies, ") and "140 bytes in all" in built.told.lines[0]
    )


@pytest.mark.parametrize("form", ["ltd", "elmo"])
def test_after_adding_removing_and_compacting_the_scores_are_the_same(form, model_of, tmp_path):
    folder, desk = tmp_path / "index", Quiet().desk
    built = build(model_of(form), folder, REPLIES[:4])
    change.add(built.served, plain([*REPLIES[2:], "now"]), folder, desk)
    change.remove(folder, [REPLIES[0], "now"], desk)
    changed = SimpleNamespace(served=built.served, index=Index(folder))
    before = {query: margins(built.served, changed.index, query) for query in QUERIES}
    assert differences(changed, REPLIES[1:]) < CLOSE["fp16"]
    change.compact(folder, desk)
    for query in QUERIES:
        assert margins(built.served, Index(folder), query) == before[query]


def test_a_reply_is_stored_alike_in_whatever_batch(model_of, tmp_path, monkeypatch):
    whole = build(model_of("ltd"), tmp_path / "whole").index
    monkeypatch.setattr("chatstill.deploy.build.ENCODE_TOKENS", 1)
    alone = build(model_of("ltd"), tmp_path / "alone").index
    torch.testing.assert_close(
        alone.shards[0].tensors["vector"], whole.shards[0].tensors["vector"], atol=2e-3, rtol=2e-3
    )


def test_a_words_weight_is_part_of_the_fingerprint(model_of, tmp_path):
    served = model_of("ltd")
    built = build(served, tmp_path / "index")
    served.model.weigh(served.model.word_weights.numpy()[::-1].copy())
    save_student(served.model, served.tokenizer, tmp_path / "other", ["0", "1"])
    served.model.weigh(served.model.word_weights.numpy()[::-1].copy())
    with refused("index.of-another-network"):
        Ranker(tmp_path / "other", built.folder)


@pytest.mark.parametrize(
    ("form", "code"),
    [({"hold": "states"}, "index.vectors-alone"), ({"pool": 2}, "index.nothing-to-pool")],
)
def test_what_a_vector_cannot_be_is_refused(form, code, model_of, tmp_path):
    with refused(code):
        build(model_of("ltd"), tmp_path / "index", **form)
    assert not (tmp_path / "index").exists()
    assert (
        build(model_of("ltd"), tmp_path / "index", hold="vectors").index.manifest.held == "vectors"
    )


def test_a_line_without_end_is_cut_and_that_is_told(model_of, tmp_path, monkeypatch):
    monkeypatch.setattr(sentences, "LONGEST", 4)
    built = build(model_of("ltd"), tmp_path / "index", ["we go home now", "a cat is in the box"])
    assert built.told.codes == ["index.replies-cut"] and "1 of 2" in built.told.warnings[0].message
    wanted = by_pairs(built.served, "why", ["we go home now", "a cat is in"])
    ours = margins(built.served, built.index, "why")
    assert ours["a cat is in the box"] == pytest.approx(wanted["a cat is in"], abs=2e-2)
    turns = built.served.encode_query(["where is the red", "box"]).vector  # a separator between
    torch.testing.assert_close(turns, built.served.encode_query("the red box").vector)


def test_replies_longer_than_the_rows_of_training_are_read_whole_and_that_is_told(tmp_path):
    import json

    folder = saved_sentences(tmp_path / "run" / "student")
    values = {"max_seq_length": {"value": 5, "origin": "file"}}
    (tmp_path / "run" / "config.resolved.json").write_text(json.dumps(values), encoding="utf-8")
    built = build(folder.parent, tmp_path / "index")
    assert built.told.codes == ["index.longer-than-in-training"]
    assert "3 of 10" in built.told.warnings[0].message
    assert differences(built) < CLOSE["fp16"]
    assert build(folder, tmp_path / "other").served.fingerprint == built.served.fingerprint


# -- the first stage ----------------------------------------------------------------------------------


@pytest.mark.parametrize("exact", [True, False], ids=["compared with all", "by the graph"])
def test_the_nearest_are_those_of_the_smallest_angle(exact, model_of, tmp_path, monkeypatch):
    pytest.importorskip("usearch")
    monkeypatch.setattr(nearest, "EXACT", 10**9 if exact else 0)
    served = model_of("ltd")
    texts = [
        f"{a} {b}" for a in "red cat box go why sing".split() for b in "we me ask home".split()
    ]
    built = build(served, tmp_path / "index", texts, first_stage=10, queries=QUERIES)
    assert "index.no-two-tower" not in built.told.codes
    (low,) = [one for one in built.told.warnings if one.code == "index.low-recall"]
    assert "two_tower" not in low.hint and "classifier" in low.hint
    for query in QUERIES:
        wanted = cosines(served, query, texts)
        best = sorted(texts, key=lambda text, of=wanted: -of[text])
        found = Ranker(served, built.index, first_stage=10).rank(query, 99)
        near = {one.reply for one in found}
        assert len(found) == 10 and {*best[:8]} <= near <= {
            *best[:12]
        }  # 9 to 12 may be equal in fp16
    vectors = {text: vector_of(served, text) for text in texts}
    products = sorted(texts, key=lambda text: -float(vectors[text] @ vector_of(served, query)))
    assert {*products[:8]} != {*best[:8]}
    assert len(Ranker(served, built.index, first_stage=10).rank(UNKNOWN.replace(" ", ""), 99)) == 10


def test_by_cosine_the_first_stage_loses_nothing_and_zero_vectors_are_no_trouble(tmp_path):
    pytest.importorskip("usearch")
    served = open_network(saved_sentences(tmp_path / "model", "static", texts=1))
    texts = [*REPLIES, UNKNOWN, "now", "go", "home"]
    built = build(served, tmp_path / "index", texts, first_stage=10, queries=QUERIES)
    assert built.index.manifest.nearest.recall == 1.0
    assert built.told.codes == ["index.no-known-word"]
    assert served.way_to_recall == "Take more candidates."
    ranker = Ranker(served, built.index, first_stage=10)
    assert len(ranker.rank(UNKNOWN, 99)) == 10
    change.remove(built.folder, REPLIES[:2], Quiet().desk)
    change.add(served, plain([REPLIES[0]]), built.folder, Quiet().desk)
    found = Ranker(served, built.folder, first_stage=10).rank(REPLIES[0], 99)
    assert found[0].reply == REPLIES[0] and REPLIES[1] not in {one.reply for one in found}


# -- interrupts ---------------------------------------------------------------------------------------


def test_interrupted_it_goes_on_to_the_same_bytes(model_of, tmp_path, monkeypatch):
    from chatstill.deploy import build as module

    monkeypatch.setattr("chatstill.deploy.build.SHARD_BYTES", 60)
    whole = build(model_of("ltd"), tmp_path / "whole")
    usual, written = module.write_tensors, []

    def stops(path, *more):
        if len(written) == 2:
            raise KeyboardInterrupt
        written.append(path.name)
        usual(path, *more)

    monkeypatch.setattr(module, "write_tensors", stops)
    with pytest.raises(KeyboardInterrupt):
        build(model_of("ltd"), tmp_path / "index")
    with refused("index.not-complete"):
        Ranker(model_of("ltd"), tmp_path / "index")
    monkeypatch.setattr(module, "write_tensors", usual)
    build(model_of("ltd"), tmp_path / "index")
    assert content(tmp_path / "index") == content(whole.folder)


@pytest.mark.parametrize(("form", "number"), [("static", 2), ("ltd", 2), ("elmo", 1)])
def test_texts_without_a_known_word_are_counted(model_of, tmp_path, form, number):
    """A network of bytes knows every word; of a text of blanks nobody knows one."""
    served = model_of(form)
    assert served.wordless([*REPLIES, UNKNOWN, " "]) - served.wordless(REPLIES) == number
    built = build(served, tmp_path / "index", replies=[REPLIES[0], UNKNOWN])
    warned = [problem.code for problem in built.told.warnings]
    assert ("index.no-known-word" in warned) == (form != "elmo")
