"""What every method of the pre-training level has to keep: on blocks, with heads over a vocabulary."""

import json
import math

import numpy as np
import pytest
import torch
import transformers as tf
from safetensors.torch import load_file

from chatstill import lookup
from chatstill.data.masking import Masking
from chatstill.errors import errors_of
from chatstill.methods.base import RunValues
from chatstill.models.networks.elmo.word_bytes import WordBytes
from chatstill.models.save import save_student
from chatstill.models.student_spec import RowReading, StudentSpec
from chatstill.readers.corpus_words import FIRST
from chatstill.text.word_tokenizer import WordTokenizer
from chatstill.train.phases import run_phases
from chatstill.train.stage import StageModule
from tests.draws import reseeded

from ..train.conftest import ToySteps, assert_same_weights, build_engine, weights
from .conftest import CORPUS, FILES, contexts, teacher_of

PIECES, MASK = 40, 4
# Another way to train the same method: it keeps the contract with it too.
KNOBS = {
    "masked_lm-head": {"train": "head"},
    "DistillerBert-all": {"restrict_ce_to_mask": True, "alpha_ce": 1.0, "alpha_mse": 0.1},
}
# Relation heads for the widths here, 16 and 8.
SMALLER = {"MiniLMv2": {name: {"heads": 4} for name in ("queries", "keys", "values")}}
# Sizes in place of those that a run begins with, of a method that makes its network itself.
SIZES = {
    "bilm": {
        "char_size": 4,
        "filters": [[1, 4], [2, 6], [3, 6]],
        "projection_size": 16,
        "cell_size": 16,
    }
}
NAMES = [*CORPUS, *KNOBS]

pytestmark = pytest.mark.parametrize("name", NAMES)


class Blocks(ToySteps):
    """Texts in which a piece is followed by the next one: what is masked stands beside it."""

    def __init__(self, **values):
        super().__init__(rows=48, batch=8, **values)
        start = np.random.default_rng(reseeded(4)).integers(5, 30, size=(48, 1))
        self.ids = start + np.arange(8) % 5

    def rows(self, rows):
        batch = super().rows(rows)
        del batch["labels"]
        return batch


def network(layers, width, seed, dropout):
    torch.manual_seed(reseeded(seed))
    config = tf.BertConfig(
        vocab_size=PIECES,
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=2,
        intermediate_size=24,
        max_position_embeddings=16,
        hidden_dropout_prob=dropout,
        attention_probs_dropout_prob=dropout,
        initializer_range=0.2,
    )
    return tf.BertForMaskedLM(config).eval()


def of_words(method_class, config, dropout):
    """What a method makes for a text of ``PIECES`` words."""
    words = [*FIRST, *(f"word{number}" for number in range(len(FIRST), PIECES))]
    tokenizer = WordTokenizer(words=words)
    reading = RowReading(tokenizer, 16, None, None, "right", lambda: False)
    spec = StudentSpec(0, None, AssertionError, reading=reading, seed=reseeded(1))
    config = config.model_copy(update={"dropout": dropout})
    model = method_class.build_student(config, None, spec)[0]
    model.words = WordBytes(words)
    return model


def again(kept, folder):
    """What is loaded from the folder of a kept network."""
    if not hasattr(kept, "words"):
        return tf.AutoModelForMaskedLM.from_pretrained(folder).eval()
    model = type(kept).from_pretrained(folder).eval()
    model.words = kept.words  # no weights: they stand in words.json
    return model


def knobs_of(name):
    """The class of a method and its knobs as its file sets them."""
    plain = name.partition("-")[0]
    if plain not in FILES:
        method_class = lookup.method(plain)
        return method_class, method_class.Config(**KNOBS.get(name, SIZES.get(name, {})))
    method_class = lookup.method(FILES[plain].method)
    values = json.loads(json.dumps(FILES[plain].defaults[method_class.block]))
    for term, more in SMALLER.get(plain, {}).items():
        values["terms"][term] |= more
    values |= KNOBS.get(name, {})
    return method_class, method_class.Config.model_validate_json(json.dumps(values))


def build(name, *, dropout=0.1, epochs=2, student_width=None):
    method_class, config = knobs_of(name)
    apart = name.startswith(("Tiny", "MiniLM"))  # these take a student of any width
    width = student_width or (8 if apart else 16)
    special = np.zeros(PIECES, bool)
    special[:5] = True
    counts = np.arange(PIECES) if getattr(config, "masking", "") == "distilbert" else None
    smoothing = 0.7 if counts is not None else None
    masking = Masking(MASK, special, 0.3, smoothing=smoothing, counts=counts)
    run = RunValues(epochs, 5e-3, masking=masking)
    teacher = network(4, 16, 0, dropout) if method_class.needs_teacher else None
    student = network(2, width, 1, dropout)
    if method_class.reads_words:
        student = of_words(method_class, config, dropout)
    return method_class(config, student, teacher, objective="cross_entropy", run=run)


def batches(method, number=3):
    steps = Blocks().start(0)
    ctx = contexts(0)[0]
    return [method.prepare_batch(next(steps)[1][0], ctx) for _ in range(number)]


def test_it_fits_its_networks_and_says_its_level(name):
    method_class, config = knobs_of(name)
    assert method_class.level_of(config) == "pretraining"
    method = build(name)
    assert errors_of(method.problems()) == [] and not method.needs_labels
    for phase in method.phases():
        rows, warnings = method.plan(phase, 100)
        assert all(len(row) == 2 for row in rows) and all(isinstance(t, str) for t in warnings)


def test_terms_are_finite_with_a_graph_and_as_announced(name):
    method = build(name)
    for index, phase in enumerate(method.phases()):
        stage = StageModule(method, phase).train()
        for ctx, batch in zip(contexts(index), batches(method), strict=False):
            counts = method.counts(batch, ctx)
            features = method.forward(stage.trained, batch, ctx)
            terms = method.terms(batch, features, teacher_of(method, phase, batch), ctx)
            assert terms
            assert {key: float(term.count) for key, term in terms.items()} == counts
            for term in terms.values():
                assert term.sum.ndim == 0 and math.isfinite(float(term.sum.detach()))
                assert term.sum.requires_grad and term.weight != 0


def test_a_term_is_a_sum_over_rows(name):
    """Two halves of a batch add up to the whole: what makes several processes equal one."""
    method = build(name, dropout=0.0)
    phase, ctx = method.phases()[0], contexts(0)[0]
    stage = StageModule(method, phase).train()
    whole = next(Blocks().start(0))[1][0]
    halves = [{k: v[part] for k, v in whole.items()} for part in (slice(0, 3), slice(3, None))]

    def terms(batch):
        read = method.prepare_batch(batch, ctx)
        student = method.forward(stage.trained, read, ctx)
        return method.terms(read, student, teacher_of(method, phase, read), ctx)

    for key, term in terms(whole).items():
        parts = [terms(half)[key] for half in halves]
        total = sum(float(part.sum.detach()) for part in parts)
        assert total == pytest.approx(float(term.sum.detach()), rel=1e-4)
        assert sum(part.count for part in parts) == term.count


def test_more_padding_changes_no_term(name):
    method = build(name, dropout=0.0)
    phase, ctx = method.phases()[0], contexts(0)[0]
    stage = StageModule(method, phase)
    batch = batches(method, 1)[0]
    wider = {}
    for key, value in batch.items():
        fill = {"input_ids": 0, "attention_mask": 0, "targets": -100}.get(key)
        wider[key] = value if fill is None else torch.nn.functional.pad(value, (0, 5), value=fill)
    found = []
    for read in (batch, wider):
        student = method.forward(stage.trained, read, ctx)
        terms = method.terms(read, student, teacher_of(method, phase, read), ctx)
        found.append({key: float(t.sum.detach()) / t.count for key, t in terms.items()})
    assert found[0] == pytest.approx(found[1], rel=1e-4)


def test_every_trained_parameter_gets_a_gradient_and_the_teacher_none(name):
    method = build(name)
    stage = StageModule(method, method.phases()[0]).train()
    own = dict(stage.named_parameters())
    for ctx, batch in zip(contexts(0), batches(method, 6), strict=False):
        loss, _ = stage(batch, ctx, method.counts(batch, ctx), 1.0)
        loss.backward()
    trained = {key for key, p in own.items() if p.requires_grad}
    reached = {k for k, p in own.items() if p.grad is not None and p.grad.abs().sum() > 0}
    assert trained and reached <= trained
    # A key's bias adds the same to every score of a row; unread positions get nothing.
    left = {key for key in trained - reached if not key.endswith("key.bias")}
    assert left == set()
    if method.teacher is not None:
        assert all(p.grad is None for p in method.teacher.parameters())
        assert not any(module.training for module in method.teacher.modules())


def test_the_loss_falls_and_the_teacher_is_unmoved(name, tmp_path):
    method = build(name, epochs=40 if name == "masked_lm-head" else 16)
    before = None if method.teacher is None else weights(method.teacher)
    engine = build_engine(tmp_path, Blocks(), save_steps=1000)
    run_phases(method, engine)
    if before is not None:
        assert_same_weights(before, weights(method.teacher))
    losses = [record["loss"] for record in engine.records if record.get("loss") is not None]
    assert sum(losses[-6:]) < 0.9 * sum(losses[:6])


def test_kept_has_no_side_effect_and_can_be_saved_and_loaded(name, tmp_path):
    quiet, watched = build(name), build(name)
    run_phases(quiet, build_engine(tmp_path / "quiet", Blocks()))
    inputs = {k: v for k, v in Blocks().rows(np.arange(8)).items() if k != "index"}

    def look():
        kept = watched.kept()
        modes = [module.training for module in kept.modules()]
        with torch.no_grad():
            kept.eval()(**inputs)
        for module, mode in zip(kept.modules(), modes, strict=True):
            module.training = mode
        return 0.0, {}

    engine = build_engine(tmp_path / "watched", Blocks(), evaluate=look, eval_steps=1)
    run_phases(watched, engine)
    kept = watched.kept().eval()
    assert_same_weights(weights(quiet.kept()), weights(kept))
    save_student(kept, None, tmp_path / "student", ())
    loaded = again(kept, tmp_path / "student")
    with torch.no_grad():
        assert torch.equal(kept(**inputs).logits, loaded(**inputs).logits)


def test_checkpoints_hold_what_is_trained_and_nothing_else(name, tmp_path):
    method = build(name, epochs=1)
    run_phases(method, build_engine(tmp_path, Blocks()))
    files = sorted((tmp_path / "checkpoints").rglob("*.safetensors"))
    assert files
    stage = StageModule(method, method.phases()[0])
    named = dict(stage.named_parameters())
    wanted = {n for n, p in named.items() if p.requires_grad}
    for path in files:
        state = load_file(path)
        assert state.keys() == stage.trained_state().keys()
        assert state.keys() & named.keys() == wanted
    for path in (tmp_path / "checkpoints").rglob("optimizer.pt"):
        torch.load(path, weights_only=True)


def test_what_is_drawn_of_a_row_hangs_on_epoch_and_row_alone(name):
    method = build(name)
    ctx = contexts(0)[0]
    steps = Blocks()
    together = method.prepare_batch(steps.rows(np.arange(12)), ctx)
    shuffled = method.prepare_batch(steps.rows(np.arange(11, -1, -1)), contexts(0)[5])
    for key in together:
        assert torch.equal(together[key], shuffled[key].flip(0)), key
    later = type(ctx)(**{**vars(ctx), "epoch": 1})
    other = method.prepare_batch(steps.rows(np.arange(12)), later)
    assert method.makes_tokens == (not torch.equal(other["input_ids"], together["input_ids"]))
