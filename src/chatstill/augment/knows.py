"""Does the masked language model know the language of the rows: hidden pieces of theirs that it finds."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from itertools import islice
from typing import Any

from ..errors import Problem
from ..figures import counted, percent
from .predictor import Predictor, Query

TRIED = 256  # texts, one hidden piece of each
LEAST = 4  # pieces of a text that says something of the one that is hidden
BEYOND_CHANCE = 1.645  # standard deviations: one in twenty by chance


def doubts(predictor: Predictor, tokenizer: Any, texts: Iterable[str], place: str) -> list[Problem]:
    """A warning where it does not find clearly more than whoever always says the commonest piece.

    Args:
        predictor: The model.
        tokenizer: Its own.
        texts: Of the training rows; the first ``TRIED`` different ones of four pieces or more are looked at.
        place: The key that names the model.
    """
    special = {*tokenizer.all_special_ids}
    queries, hidden = [], []
    for ids in islice(_long_enough(tokenizer, texts, predictor.longest), TRIED):
        at = len(ids) // 2
        if ids[at] in special:
            continue
        masked = (*ids[:at], tokenizer.mask_token_id, *ids[at + 1 :])
        queries.append(Query(masked, (0,) * len(ids), at))
        hidden.append(ids[at])
    if not hidden:
        return []
    found = predictor.best(queries, 1)
    right = sum(best.ids[0] == piece for best, piece in zip(found, hidden, strict=True))
    piece, commonest = min(Counter(hidden).items(), key=lambda each: (-each[1], each[0]))
    share = commonest / len(hidden)
    if right - commonest > BEYOND_CHANCE * math.sqrt(len(hidden) * share * (1 - share)):
        return []
    name = tokenizer.convert_ids_to_tokens(piece)
    message = (
        f"it finds {percent(right / len(hidden))} of {counted(len(hidden), 'hidden piece')} of the rows; "
        f"always '{name}' would find {percent(share)}: its candidates are no better than chance"
    )
    hint = 'Train it further on such texts: "model_type": "MaskedLM", docs/pretraining.md.'
    return [Problem(place, message, hint, "warning", code="augment.model-no-better-than-a-guess")]


def _long_enough(tokenizer: Any, texts: Iterable[str], longest: int) -> Iterable[tuple[int, ...]]:
    seen: set[str] = set()  # a query of many rows would make its own piece the commonest
    for text in texts:
        if text in seen:
            continue
        ids = tokenizer(text, truncation=True, max_length=longest)["input_ids"]
        if len(ids) >= LEAST + 2:
            seen.add(text)
            yield tuple(ids)
