"""Candidates of words, against the model asked by hand, one unpadded row at a time."""

import numpy as np
import pytest
import torch

from chatstill.augment.candidates import Finder
from chatstill.augment.neighbours import Neighbours, Table, keep, kept, read_glove, unit
from chatstill.augment.pieces import Pieces
from chatstill.augment.predictor import Predictor, Query, predictor_of
from chatstill.augment.words import others, replaceable
from tests.found import refused

from . import by_hand

SENTENCE = "a good cat sleeps in paris"
PIECES = ["[UNK]", "good", "cat", "sleep"]


def words_of(found):
    return [choice.words for choice in found.choices]


def test_the_model_reads_the_masked_sentence_and_the_sentence():
    seen = []

    def table(pieces, at):
        seen.append((pieces, at))
        return {"dog": 2.0}

    by_hand.stub(table).of(["good cat !"])
    rows = {(" ".join(pieces), at) for pieces, at in seen}
    assert rows == {
        ("[CLS] [MASK] cat ! [SEP] good cat ! [SEP]", 1),
        ("[CLS] good [MASK] ! [SEP] good cat ! [SEP]", 2),
    }


def test_inner_pieces_special_tokens_signs_and_the_word_are_dropped_from_the_best():
    best = {
        "猫": 10,
        "##s": 9,
        "cat": 8,
        "[UNK]": 7,
        "dog": 6,
        ".": 5,
        "[unused1]": 4,
        "tree": 3,
        "house": 2,
    }
    (found,) = by_hand.stub(lambda pieces, at: best, number=8).of(["Cat"])
    assert words_of(found) == [["dog", "tree"]]  # house is the ninth


def test_candidates_are_of_the_script_of_the_word():
    assert others("percent", ["フ", "café", "процент", None, "share"]) == ["café", "share"]
    assert others("слово", ["word", "речь", "αβγ", "ひら", "Слово"]) == ["речь"]
    assert others("ひらがな", ["カタカナ", "слово", "ローマ"]) == ["カタカナ", "ローマ"]
    assert others("ＡＢＣ", ["word", "Word", "字"]) == ["word"]


def test_the_piece_of_an_uncased_model_is_the_word_itself_with_its_accents():
    """[CLS] [MASK] [SEP] Dóg [SEP]: a model that copies says dog, which is no other word."""
    best = {"dog": 9, "cat": 8, "tree": 7}
    (found,) = by_hand.stub(lambda pieces, at: best, number=3).of(["Dóg"])
    assert words_of(found) == [["cat", "tree"]]


def test_a_blank_that_counts_as_its_words_piece_hides_no_word():
    """As SentencePiece's places in some tokenizers."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    vocabulary = {
        w: n for n, w in enumerate(["<s>", "</s>", "<mask>", "<unk>", "▁a", "▁good", "s"])
    }
    inner = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    inner.pre_tokenizer = pre_tokenizers.Metaspace()
    marks = {"bos_token": "<s>", "eos_token": "</s>", "mask_token": "<mask>", "unk_token": "<unk>"}
    known = PreTrainedTokenizerFast(tokenizer_object=inner, **marks)
    text = "a good  good"
    assert [s for s, _ in known(text, return_offsets_mapping=True)["offset_mapping"]] != [0, 2, 8]
    pieces = Pieces.__new__(Pieces)
    pieces.tokenizer = known
    (cut,) = pieces.cut_all([text])
    found = [cut.of(word) for word in replaceable(text, None)]
    assert None not in found and [cut.spans[place.start] for place in found] == [(2, 6), (8, 12)]


def test_candidates_are_those_of_the_model_asked_by_hand():
    model = by_hand.network()
    known = by_hand.tokenizer()
    for sentence in ("good cat sleeps", "paris , big dog runs !", "red tree"):
        (found,) = by_hand.finder(model, number=8).of([sentence])
        pieces = known.tokenize(sentence)
        words = [n for n, piece in enumerate(pieces) if piece.isalpha()]
        assert len(found.choices) == len(words)
        for at, choice in zip(words, found.choices, strict=True):
            best = by_hand.slowly(model, pieces[:at], "[MASK]", pieces[at + 1 :], pieces, 8)
            wanted = [b for b in best if b.isascii() and b.isalpha() and b != pieces[at]]
            assert choice.words == wanted


def test_what_else_is_asked_changes_no_candidate():
    model = by_hand.network()
    sentences = [
        " ".join(by_hand.WORDS[(n * k) % 14] for k in range(1, 2 + n % 7)) for n in range(40)
    ]
    alone = [by_hand.finder(model).of([sentence])[0] for sentence in sentences]
    assert any(words for found in alone for words in words_of(found))
    for rows in (32, 7, 1):
        assert by_hand.finder(model, rows=rows).of(sentences) == alone
    assert by_hand.finder(model).of(sentences[::-1])[::-1] == alone


def test_noise_in_the_last_digits_changes_no_candidate():
    """A library that adds in another order for another shape of batch."""
    base = torch.randn(1, 500, generator=torch.Generator().manual_seed(3)).round(decimals=2)

    def scores(batch, places):
        size = batch["input_ids"].shape[0]
        noise = torch.sin(torch.arange(size * 500.0)).reshape(size, 500)
        return base + 1e-5 * noise

    query = Query((1, 2, 3), (0, 0, 0), 1)
    found = {
        tuple(one.ids)
        for rows in (1, 3, 32)
        for one in Predictor(scores, 0, rows=rows).best([query] * 5, 40)
    }
    assert len(found) == 1


def test_equal_scores_go_by_the_number_of_the_piece():
    (found,) = by_hand.stub(lambda pieces, at: {"dog": 1, "cat": 1, "blue": 1}).of(["tree"])
    assert words_of(found)[0][:3] == ["blue", "cat", "dog"]


def test_a_long_row_is_seen_in_a_window_around_the_word():
    seen = []

    def table(pieces, at):
        seen.append((pieces, at))
        return {"dog": 1.0}

    finder = by_hand.stub(table)
    finder.predictor.longest = 13  # two windows of five pieces
    (found,) = finder.of(["red blue cat . tree house good bad"])
    assert found.long
    rows = {" ".join(pieces) for pieces, _ in seen}
    assert "[CLS] red blue [MASK] . tree [SEP] red blue cat . tree [SEP]" in rows
    assert "[CLS] . tree house good [MASK] [SEP] . tree house good bad [SEP]" in rows
    assert all(pieces[at] == "[MASK]" and len(pieces) == 13 for pieces, at in seen)


def test_the_network_reads_no_more_than_it_has_positions():
    model = by_hand.network(positions=16)
    (found,) = by_hand.finder(model).of([" ".join(by_hand.WORDS * 3)])
    assert found.long and len(found.choices) == 42


def test_a_word_of_several_pieces_takes_its_neighbours_and_none_without_vectors():
    table = Table(
        ["walking", "runs", "cat", "walker"],
        unit(np.array([[1, 0], [0.9, 0.1], [0, 1], [0.8, 0.3]], np.float32)),
    )
    finder = by_hand.stub(lambda pieces, at: {"dog": 1.0}, number=2)
    sentence = ["walking cat"]
    assert words_of(finder.of(sentence)[0]) == [[], ["dog"]]
    near = Finder(finder.predictor, finder.pieces, 2, Neighbours(table))
    assert words_of(near.of(sentence)[0]) == [["runs", "walker"], ["dog"]]
    assert words_of(near.of(["Walking"])[0]) == [["runs", "walker"]]


def test_neighbours_are_of_the_script_of_the_word_and_stand_there_once():
    names = ["walking", "ходить", "Runs", "runs", "走路", "RUNS", "walker"]
    matrix = [[1, 0], [1, 0.01], [1, 0.1], [1, 0.1], [1, 0.1], [1, 0.1], [0.8, 0.3]]
    near = Neighbours(Table(names, unit(np.array(matrix, np.float32))))
    assert near.of(["walking"], 2) == [["Runs", "walker"]]


def test_neighbours_are_the_nearest_by_cosine(tmp_path):
    generator = np.random.default_rng(1)
    matrix = generator.normal(size=(300, 8)).astype(np.float32)
    words = [
        f"w{'abcdefghij'[n % 10]}{'abcdefghij'[n // 10 % 10]}{'xyz'[n // 100]}" for n in range(300)
    ]
    keep(Table(words, unit(matrix)), tmp_path)
    table = kept(tmp_path)
    assert table is not None
    found = Neighbours(table).of(words[:70], 4)
    scaled = matrix / np.linalg.norm(matrix, axis=1, keepdims=True)
    for at in range(70):
        cosines = scaled @ scaled[at]
        best = sorted((float(cosines[n]) for n in range(300) if n != at), reverse=True)[:4]
        assert np.allclose([cosines[words.index(w)] for w in found[at]], best, atol=1e-5)
        assert words[at] not in found[at]
    assert Neighbours(table).of([words[3]], 4) == [found[3]]
    assert Neighbours(table).of(["unknown"], 4) == [[]]


def test_glove_is_read_to_its_first_words(tmp_path, monkeypatch):
    path = tmp_path / "glove.txt"
    path.write_text("the 1 0\n, 0 1\ncat 0.5 0.5\ndog 1 1\n", encoding="utf-8")
    assert read_glove(path).words == ["the", "cat", "dog"]
    monkeypatch.setattr("chatstill.augment.neighbours.MOST", 3)
    assert read_glove(path).words == ["the", "cat"]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("cat 1 0\ndog 1 2 3\n", "vectors.other-count"),
        ("cat 1 0\ndog 1", "vectors.last-line-cut-off"),
        ("", "vectors.empty"),
        (", 1 0\n", "augment.no-words-in-the-vectors"),
    ],
)
def test_faulty_vectors_are_one_message(tmp_path, text, code):
    path = tmp_path / "glove.txt"
    path.write_text(text, encoding="utf-8")
    with refused(code) as caught:
        read_glove(path)
    assert len(caught.value.problems) == 1


def test_a_tokenizer_that_knows_no_places_is_refused():
    class Slow:
        is_fast, mask_token_id = False, 4

    with refused("augment.tokenizer-unfit"):
        Pieces(Slow(), "place")


def test_a_byte_level_tokenizer_gives_words_that_begin_with_its_blank():
    from tests.path import world

    known = world.tokenizer_of("roberta")
    import transformers as tf

    torch.manual_seed(0)
    model = tf.RobertaForMaskedLM(world.config_of("roberta", len(known), 1, 0.1)).eval()
    pieces = Pieces(known, "place")
    names = {pieces.word_of(n) for n in range(len(known))} - {None}
    assert all(name.isalpha() for name in names)
    assert pieces.word_of(known.mask_token_id) is None
    Finder(predictor_of(model, known), pieces, 5).of(["the cat, red!"])
