"""The two ways to make copies: what each needs is looked for here, once for all rows."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..disk.write import write_json
from ..errors import Problem
from ..figures import counted, percent
from ..text.segment import JIEBA, usual_segmenter
from . import bilstm, tags
from .choices import Choices
from .copies import Copy, copies_of
from .desk import Desk
from .digests import Digests, digest
from .forms import Form, Row
from .keys import MODEL, AugmentationKeys
from .named import Named
from .rows import Survey, collect_sentences, texts_of, word_counts
from .work import UNIT, Work
from .worker import FINDER

# -- by the rules of the BiLSTM ---------------------------------------------------------------------


def by_rules(
    form: Form,
    found: Survey,
    keys: AugmentationKeys,
    named: Named | None,
    work: Work,
    desk: Desk,
) -> Callable[[Row, Sequence[str]], Iterator[Copy]]:
    """Copies by the rules of the distilled BiLSTM.

    Raises:
        UserError: the tagger is missing or fails.
    """
    tag, has_tags = _tagger(form, keys, desk)
    by_tag = tags.WordsByTag([])
    if has_tags and keys.tag_probability:
        texts = (tag(text) for row in form.rows() for text in texts_of(row.example))
        by_tag = tags.WordsByTag(texts)
    shares = (keys.mask_probability, keys.tag_probability, keys.ngram_probability)
    rules = bilstm.Rules(tag, by_tag, keys.seed, *shares)
    return lambda row, texts: rules.copies_of(row.number, texts, int(keys.copies or 0))


def _tagger(form: Form, keys: AugmentationKeys, desk: Desk) -> tuple[tags.Tagger, bool]:
    if keys.tagger is not None:
        return tags.module_tagger(keys.tagger), True
    texts = (text for row in form.rows() for text in texts_of(row.example))
    if usual_segmenter(texts) == JIEBA:
        return tags.jieba_tagger(), True
    message = "no tagger is named: no word becomes another one of its part of speech"
    hint = 'Name a function that tags a list of words, such as "tagger": "nltk:pos_tag".'
    desk.warn(Problem(tags.PLACE, message, hint, "warning", code="augment.no-tagger"))
    return tags.untagged(), False


# -- by a masked language model ---------------------------------------------------------------------


def by_model(
    form: Form,
    found: Survey,
    keys: AugmentationKeys,
    named: Named | None,
    work: Work,
    desk: Desk,
) -> Callable[[Row, Sequence[str]], Iterator[Copy]]:
    """Copies by TinyBERT\'s algorithm, once the candidates of all sentences are there.

    Raises:
        UserError: the model or the word vectors are faulty.
    """
    assert named is not None, "asked for before"
    sentences = Digests(work.folder / "sentences.table", found.rows * found.texts)
    collect_sentences(form, work, sentences)
    _find(form, found, keys, named, work, len(sentences), desk)
    _tell_of_words(work, keys, desk)

    def choices(text: str) -> list[Choices]:
        number = sentences.find(digest(text))
        assert number is not None, "the training rows changed while they were read"
        return work.choices(number)

    def of_row(row: Row, texts: Sequence[str]) -> Iterator[Copy]:
        return copies_of(
            row.number,
            texts,
            [choices(text) for text in texts],
            copies=int(keys.copies or 0),
            seed=keys.seed,
            probability=keys.probability,
        )

    return of_row


def _find(
    form: Form,
    found: Survey,
    keys: AugmentationKeys,
    named: Named,
    work: Work,
    sentences: int,
    desk: Desk,
) -> None:
    """Candidates for all sentences that lack them."""
    missing = work.missing()
    if not missing:
        if sentences:
            desk.say(f"the candidates of {counted(sentences, 'sentence')} were there")
        return
    from . import units
    from .finding import device_of, finder_of, load_network
    from .knows import doubts
    from .predictor import predictor_of

    if len(missing) < work.units:
        desk.say(f"{work.units - len(missing):,} of {work.units:,} units were there: going on")
    model, tokenizer = load_network(named)
    device = device_of()
    texts = (text for row in form.rows() for text in texts_of(row.example))
    found_out = doubts(predictor_of(model.to(device), tokenizer), tokenizer, texts, named.place)
    work.keep_doubts([doubt.message for doubt in found_out])
    for doubt in found_out:
        desk.warn(doubt)
    _vectors(form, keys, model, tokenizer, work, desk)
    workers = min(keys.workers or units.usual_workers(device), len(missing))
    left = min(len(missing) * UNIT, sentences)
    began = time.monotonic()
    with desk.display("sentences", left) as done:
        if workers < 2:
            finder = finder_of(
                model,
                tokenizer,
                keys.candidates,
                work.folder,
                chinese=found.chinese,
                device=device,
                bf16=named.bf16,
            )
            units.find_here(work, finder, done)
        else:
            del model
            values = {"named": asdict(named), "number": keys.candidates, "chinese": found.chinese}
            write_json(work.folder / FINDER, values)
            units.find_in_processes(work, workers, done)
    seconds = time.monotonic() - began
    desk.say(
        f"candidates for {counted(left, 'sentence')} in {seconds:.0f} s, {left / seconds:.1f} a second, by "
        f"{counted(max(workers, 1), 'process', 'processes')} on {device}"
    )


def _vectors(
    form: Form, keys: AugmentationKeys, model: Any, tokenizer: Any, work: Work, desk: Desk
) -> None:
    """Word vectors in the work's folder, if there are to be any."""
    from . import neighbours

    if keys.word_vectors is None or neighbours.kept(work.folder) is not None:
        return
    if keys.word_vectors != MODEL:
        neighbours.keep(neighbours.read_glove(Path(keys.word_vectors)), work.folder)
        return
    counts = word_counts(form)
    words = sorted(counts, key=lambda word: (-counts[word], word))[: neighbours.MOST]
    if not words:
        return
    desk.say(f"word vectors of the model: {counted(len(words), 'word')} of the training rows")
    from ..models.networks.word_vectors import word_states

    states = word_states(model, tokenizer, words).numpy()
    neighbours.keep(neighbours.Table(words, neighbours.unit(states)), work.folder)


def _tell_of_words(work: Work, keys: AugmentationKeys, desk: Desk) -> None:
    found = work.count()
    words, known, long = found["words"], found["with_candidates"], found["in_windows"]
    share = percent(1 - known / words) if words else "0"
    desk.say(f"{counted(words, 'word')} may be replaced, {known:,} have candidates")
    if long:
        desk.say(f"{counted(long, 'sentence')} longer than the model reads: seen in windows")
    if keys.word_vectors is None and known < words:
        message = (
            f"{share} of the words that may be replaced have no candidates and stay: no word vectors are "
            "named for words of several pieces"
        )
        hint = 'Name a file in GloVe\'s format, or "word_vectors": "model".'
        place = "augmentation.word_vectors"
        desk.warn(Problem(place, message, hint, "warning", code="augment.words-without-candidates"))
