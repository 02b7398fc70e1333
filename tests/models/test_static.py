"""The static network against plain loops, and the vectors that it may start from."""

import ast
import math

import numpy as np
import pytest
import torch
from tests.pages import fences
from tests.path import world

from chatstill.data.kept import Kept
from chatstill.errors import UserError
from chatstill.models.custom import register_networks
from chatstill.models.load import new_classifier
from chatstill.models.networks import network
from chatstill.models.networks.base import Start
from chatstill.models.networks.word_vectors import fitted_to, word_states
from chatstill.text.word_tokenizer import SPECIAL, WordTokenizer

WORDS = ["where", "is", "Box", "sure", "rare"]


@pytest.fixture(scope="module")
def tokenizer():
    return WordTokenizer(words=[*SPECIAL, *WORDS], segmenter="words", do_lower_case=False)


def built(tokenizer, **keys):
    register_networks()  # as every verb does before it builds one
    ours = network("static")
    block = ours.Block(**{"width": 4, "hidden": 3, "dropout": 0.0, **keys})
    return block, new_classifier(ours.build_config(block, tokenizer, pairs=True), seed=1).eval()


@pytest.mark.parametrize("pooling", ["mean", "weighted"])
def test_logits_are_those_of_plain_arithmetic(tokenizer, pooling):
    """[h1, h2, h1*h2, |h1-h2|] of means that leave out special and unknown words, tanh, classifier."""
    _, model = built(tokenizer, pooling=pooling)
    if pooling == "weighted":
        with torch.no_grad():
            model.static.weights.weight.uniform_(-1, 1)
    rows = tokenizer(
        [("where is strange", "Box sure sure"), ("", "rare")], padding=True, return_tensors="pt"
    )
    table = model.static.words.weight.detach().double().numpy()

    def mean(words):
        total, weight = np.zeros(4), 0.0
        for word in words:
            at = tokenizer.get_vocab()[word]
            own = 1.0
            if pooling == "weighted":
                own = math.exp(model.static.weights.weight[at, 0].item())
            total, weight = total + own * table[at], weight + own
        return total / weight if weight else total

    with torch.no_grad():
        found = model(**rows).logits
    for row, (one, two) in enumerate([(("where", "is"), ("Box", "sure", "sure")), ((), ("rare",))]):
        h1, h2 = mean(one), mean(two)
        joined = np.concatenate([h1, h2, h1 * h2, abs(h1 - h2)])
        dense, head = model.dense, model.classifier
        inner = np.tanh(
            dense.weight.detach().double().numpy() @ joined + dense.bias.detach().numpy()
        )
        expected = head.weight.detach().double().numpy() @ inner + head.bias.detach().numpy()
        np.testing.assert_allclose(found[row].numpy(), expected, atol=1e-6)


def test_the_vector_is_the_mean_over_the_words_of_both_texts(tokenizer):
    from chatstill.features.base import Needs

    _, model = built(tokenizer)
    rows = tokenizer("where is", "sure", return_tensors="pt")
    found = model.read_features(rows, Needs(vector=True)).vector
    places = [tokenizer.get_vocab()[word] for word in ("where", "is", "sure")]
    torch.testing.assert_close(found[0], model.static.words.weight[places].mean(0))


def test_weights_of_words_start_equal_so_that_the_weighted_mean_is_the_mean(tokenizer):
    one, other = built(tokenizer)[1], built(tokenizer, pooling="weighted")[1]
    other.load_state_dict(one.state_dict(), strict=False)
    rows = tokenizer("where is", "sure", return_tensors="pt")
    torch.testing.assert_close(one(**rows).logits, other(**rows).logits)


@pytest.fixture(scope="module")
def teacher(tmp_path_factory):
    import transformers as tf

    folder = world.build_network(tmp_path_factory.mktemp("teacher"), layers=2)
    model = tf.AutoModelForSequenceClassification.from_pretrained(folder)
    return model.eval(), tf.AutoTokenizer.from_pretrained(folder)


def test_a_words_states_are_those_of_the_word_alone(teacher):
    model, pieces = teacher
    words = ["where", "", "red", "singsing", "is"]
    found = word_states(model, pieces, words)
    for word, state in zip(words, found, strict=True):
        ids = pieces(word, return_tensors="pt")
        with torch.no_grad():
            states = model(**ids, output_hidden_states=True).hidden_states[-1][0]
        inner = [
            state
            for state, number in zip(states, ids["input_ids"][0].tolist(), strict=True)
            if number not in pieces.all_special_ids
        ]
        expected = torch.stack(inner).mean(0) if inner else torch.zeros(16)
        torch.testing.assert_close(state, expected, atol=1e-5, rtol=1e-4)


def tokenizer_of_pieces(kind):
    """Of WordPiece or byte-level BPE; ``where`` begins a word in both."""
    import transformers as tf

    letters = sorted({*"wherist"})
    if kind == "bert":
        special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
        pieces = [*special, *letters, "#", "where", "is", "##s", "##ing"]
        return tf.BertTokenizer(vocab={piece: number for number, piece in enumerate(pieces)})
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    ends = [("Ġ" + "where"[:end], letter) for end, letter in enumerate("where")]
    pieces = [*special, *letters, "Ġ", *map("".join, ends), "is"]
    vocab = {piece: number for number, piece in enumerate(pieces)}
    return tf.RobertaTokenizer(vocab=vocab, merges=[*ends, ("i", "s")])


@pytest.fixture(scope="module", params=["bert", "roberta"])
def of_pieces(request):
    """A teacher, its tokenizer, and that as the student's, loaded anew."""
    import transformers as tf

    torch.manual_seed(0)
    tokenizers = [tokenizer_of_pieces(request.param) for _ in range(2)]
    config = world.config_of(request.param, len(tokenizers[0]), 2, 0.1)
    return tf.AutoModelForSequenceClassification.from_config(config).eval(), *tokenizers


def by_hand(model, tokenizer, number):
    """The state of one piece between the special tokens of a text."""
    before, _, behind = (list(part) for part in _parts(tokenizer))
    ids = torch.tensor([[*before, number, *behind]])
    with torch.no_grad():
        states = model(input_ids=ids, output_hidden_states=True).hidden_states[-1]
    return states[0, len(before)]


def _parts(tokenizer):
    ids = tokenizer("w")["input_ids"]
    special = [number in tokenizer.all_special_ids for number in ids]
    first, last = special.index(False), len(ids) - special[::-1].index(False)
    return ids[:first], ids[first:last], ids[last:]


def test_a_student_of_the_teachers_pieces_starts_with_the_states_of_the_pieces(of_pieces):
    """Written as texts, they would be cut into others: ``##s`` into ``#``, ``#``, ``s``."""
    model, teachers, students = of_pieces
    block, student = built(students, width=16, vectors="teacher")
    start = Start(students, model, teachers, None, 1)
    (line,) = network("static").fill(student, block, start)
    special = set(teachers.all_special_ids)
    states = torch.stack(
        [
            torch.zeros(16) if number in special else by_hand(model, teachers, number)
            for number in range(len(teachers))
        ]
    )
    torch.testing.assert_close(
        student.static.words.weight, fitted_to(states, 16), atol=1e-5, rtol=1e-4
    )
    starts = 10 if "##s" in teachers.get_vocab() else 5  # w, wh …
    num = len(teachers) - len(special)
    assert f"the teacher's: {num:,} pieces ({starts:,} begin a word) in" in line


def test_of_pieces_those_that_begin_a_word_have_vectors_of_a_file(of_pieces, tmp_path):
    _, _, students = of_pieces
    file, vocab = tmp_path / "words.txt", students.get_vocab()
    mark = "Ġ" if "Ġ" in vocab else ""
    first, inside = mark + "where", "is" if mark else "##s"
    lines = ["where 1 2 3 4", f"{inside} 9 9 9 9", "Ġwhere 9 9 9 9", "<s> 9 9 9 9", "w 1 1 1 1"]
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    block, student = built(students, vectors=str(file))
    (line, *_) = network("static").fill(student, block, Start(students, None, None, None, 1))
    table = student.static.words.weight.detach()
    assert first in vocab and inside in vocab
    assert table[vocab[first]].tolist() == [1, 2, 3, 4]
    assert not (table == 9).any() and "pieces that begin a word (of" in line


def test_other_code_or_libraries_make_other_vectors(of_pieces, monkeypatch):
    from chatstill.models.networks import word_vectors

    model, tokenizer, _ = of_pieces
    found = [word_vectors._made_of(model, tokenizer, ["a"], 4)]
    monkeypatch.setattr("transformers.__version__", "0")
    found.append(word_vectors._made_of(model, tokenizer, ["a"], 4))
    monkeypatch.setattr(word_vectors, "code_of", lambda _: "of a plugin")
    found.append(word_vectors._made_of(model, tokenizer, ["a"], 4))
    assert found[0] != found[1] != found[2]


def test_pca_keeps_what_varies_most_and_its_signs_are_settled():
    generator = torch.Generator().manual_seed(0)
    states = torch.randn(50, 6, generator=generator) * torch.tensor([9.0, 5.0, 2.0, 0.1, 0.1, 0.1])
    found = fitted_to(states, 3)
    centred = (states - states.mean(0)).double()
    _, _, directions = torch.linalg.svd(centred, full_matrices=False)
    expected = centred @ directions[:3].T
    expected = (expected / expected.norm(dim=1).mean()).float()
    torch.testing.assert_close(found.abs(), expected.abs(), atol=1e-5, rtol=1e-4)
    assert found.norm(dim=1).mean() == pytest.approx(1.0, abs=1e-5)
    torch.testing.assert_close(fitted_to(states @ torch.eye(6), 3), found)


def test_a_width_beyond_the_teachers_keeps_its_states():
    states = torch.randn(5, 3)
    found = fitted_to(states, 5)
    torch.testing.assert_close(found[:, :3] * states.norm(dim=1).mean(), states)
    assert not found[:, 3:].any()


def test_vectors_of_a_file_go_to_their_words(tokenizer, teacher, tmp_path):
    file = tmp_path / "glove.txt"
    file.write_text("where 1 2 3 4\nbox 0 0 0 5\nother 9 9 9 9\n", encoding="utf-8")
    block, model = built(tokenizer, vectors=str(file))
    before = model.static.words.weight.detach().clone()
    start = Start(tokenizer, *teacher, None, 1)
    lines = network("static").fill(model, block, start)
    table, places = model.static.words.weight, tokenizer.get_vocab()
    assert table[places["where"]].tolist() == [1, 2, 3, 4]
    assert table[places["Box"]].tolist() == [0, 0, 0, 5]  # of its lower case
    assert not table[places["[PAD]"]].any()
    others = table[[places["is"], places["sure"], places["rare"]]]
    torch.testing.assert_close(  # longer, in their directions
        torch.nn.functional.normalize(others),
        torch.nn.functional.normalize(before[[places["is"], places["sure"], places["rare"]]]),
    )
    assert f"word vectors of {file}: 2 of 8 words" in lines[0]
    assert "1 words take the vector of their lower case" in lines[1]


def test_a_file_of_another_width_or_language_is_refused(tokenizer, teacher, tmp_path):
    start = Start(tokenizer, *teacher, None, 1)
    file = tmp_path / "glove.txt"
    for text, said in (
        ("where 1 2 3\n", "vectors of 3 numbers"),
        ("没有 1 2 3 4\n", "none of the"),
    ):
        file.write_text(text, encoding="utf-8")
        block, model = built(tokenizer, vectors=str(file))
        with pytest.raises(UserError, match=said):
            network("static").fill(model, block, start)


def test_vectors_of_the_teacher_are_the_same_made_and_kept(tokenizer, teacher, tmp_path):
    tables = []
    for again in (False, True):
        block, model = built(tokenizer, vectors="teacher")
        kept = Kept(tmp_path / "views")
        lines = network("static").fill(model, block, Start(tokenizer, *teacher, None, 1, kept))
        kept.write(tmp_path / "views", tmp_path)
        tables.append(model.static.words.weight.detach().clone())
        assert ("kept from before" in lines[0]) is again
    assert torch.equal(*tables) and tables[0].any()


def test_the_code_of_the_page_runs(tokenizer, tmp_path, monkeypatch, capsys):
    _, model = built(tokenizer)
    model.save_pretrained(tmp_path / "output_static" / "student")
    tokenizer.save_pretrained(tmp_path / "output_static" / "student")
    monkeypatch.chdir(tmp_path)
    (code,) = fences("docs/static_students.md", "python")
    exec(code.replace("how are you", "where is").replace("fine, thanks", "sure Box"), {})
    with torch.no_grad():
        pair = tokenizer("where is", "sure Box", return_tensors="pt")
        best = model(**pair).logits.softmax(-1).max().item()
    told = ast.literal_eval(capsys.readouterr().out.strip().splitlines()[-1])
    assert told["score"] == pytest.approx(best, abs=1e-5) and best > 0.5
