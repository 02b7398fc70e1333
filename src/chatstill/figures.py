"""Figures and names as a reader takes them in."""

from collections.abc import Sequence

COLDEST, HOTTEST = 0.1, 20.0
"""Range of a fitted temperature."""


def percent(share: float) -> str:
    """``0``, ``< 0.01 %``, ``0.04 %``, ``2.3 %``: a small share is not shown as none."""
    if share == 0:
        return "0"
    if share < 0.0001:
        return "< 0.01 %"
    return f"{100 * share:.2f} %" if share < 0.01 else f"{100 * share:.1f} %"


def decimals(value: float) -> str:
    """``0.873``, ``12.481``, ``0.00021``: three decimals, more where they would show nothing."""
    return f"{value:.3f}" if value == 0 or abs(value) >= 0.001 else f"{value:.2g}"


def counted(number: int, noun: str, plural: str = "") -> str:
    """``1 process``, ``2 processes``: with an ``s`` where no plural is given."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def names_text(names: Sequence[str], most: int = 8) -> str:
    """``no, yes``; a name that holds a comma stands in quotes, and more than ``most`` end with ``…``."""
    shown = [repr(name) if "," in name or name != name.strip() else name for name in names[:most]]
    return ", ".join(shown) + (", …" if len(names) > most else "")


def epochs_text(number: float) -> str:
    """``1 epoch``, ``34 epochs``, ``0.5 epochs``."""
    text = f"{number:.4g}"
    return f"{text} epoch{'' if text == '1' else 's'}"


def steps_text(steps: int, of_epoch: int) -> str:
    """``354 (6 epochs of 59)``; ``59 (1 epoch)``, which says the number once.

    Args:
        steps: Of a phase.
        of_epoch: Of one epoch.
    """
    if steps == of_epoch:
        return f"{steps:,} ({epochs_text(1)})"
    return f"{steps:,} ({epochs_text(steps / of_epoch)} of {of_epoch:,})"


def fitted(temperature: float, rows: str = "rows") -> str:
    """``fitted on the same rows``, and that it stopped at an end of its range where it did."""
    limit = ""
    if temperature < COLDEST * 1.01:
        limit = (
            f"; the lower end of its range, {COLDEST:g}: the logits are too small for their answers"
        )
    elif temperature > HOTTEST * 0.99:
        limit = f"; the upper end of its range, {HOTTEST:g}: no scale fits these logits"
    return f"fitted on the same {rows}{limit}"


def parameter_count(count: int) -> str:
    """``22.7 M``, and in full where that would say little: ``26,563``."""
    return f"{count / 1e6:.1f} M" if count >= 100_000 else f"{count:,}"


def byte_size(size: float) -> str:
    """``820 kB``, ``43.5 MB``, ``1.2 GB``; decimal units."""
    for unit, factor in (("GB", 1e9), ("MB", 1e6)):
        if size >= factor:
            return f"{size / factor:.1f} {unit}"
    return f"{size / 1e3:.0f} kB"
