"""Names as users write them: the same but for case and hyphens, or near another one."""

import difflib
from collections.abc import Sequence


def plain(name: str) -> str:
    """A name without case, hyphens, underscores, dots and spaces: ``Theseus-Bert`` -> ``theseusbert``."""
    return "".join(sign for sign in name.casefold() if sign not in "-_ .")


def nearest(name: str, known: Sequence[str]) -> str | None:
    """The known name that was most likely meant, None if none is near."""
    by_plain = {plain(word): word for word in known}
    found = difflib.get_close_matches(plain(name), by_plain, n=1, cutoff=0.6)
    return by_plain[found[0]] if found else None


def unknown(kind: str, name: str, known: Sequence[str], words: Sequence[str] = ()) -> str:
    """``no method 'tesheus'. Did you mean 'theseus-bert'? Known: theseus-bert.``

    Args:
        kind: What was looked for.
        name: What was written.
        known: The names to list.
        words: Alias -> name pairs as ``alias=name`` that count for the near match too.
    """
    listed = f"Known: {', '.join(sorted(known))}."
    targets = {word: word for word in known} | dict(word.split("=", 1) for word in words)
    begun = {name_of: 0 for word, name_of in targets.items() if plain(word).startswith(plain(name))}
    found = nearest(name, list(targets))
    meant = list(begun) if 1 < len(begun) < 4 else [targets[found]] if found else []
    names = " or ".join(f"'{name_of}'" for name_of in meant)
    guess = f" Did you mean {names}?" if names else ""
    return f"no {kind} '{name}'.{guess} {listed}"
