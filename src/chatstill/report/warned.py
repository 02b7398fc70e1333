"""What a run warned of, read back from its folder: warnings of the plan, the training and the results."""

import re
from collections.abc import Sequence
from pathlib import Path

_LINE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d+ (?P<level>[A-Z]+) (?P<text>.*)")
_MARK = re.compile(r"warning\s*[:=]\s*", re.IGNORECASE)


def read_warnings(folder: Path, told_elsewhere: Sequence[str] = ()) -> list[str]:
    """Each warning once, in order, with the advice that stood below it.

    Args:
        folder: Of the run; none where it has no log.
        told_elsewhere: Texts that the page shows already.
    """
    lines: list[str] = []
    for path in (folder / "run.log", folder / "eval_results.txt"):
        if path.is_file():
            lines += path.read_text(encoding="utf-8", errors="replace").splitlines()
    found: list[str] = []
    advice = False  # whether the line before was a warning
    for line in lines:
        match = _LINE.match(line)
        text = match["text"] if match else line
        mark = _MARK.match(text)
        if advice and text.startswith("    "):
            found[-1] = in_one_line(f"{found[-1]}\n{text}")
            continue
        advice = mark is not None or (match is not None and match["level"] == "WARNING")
        if advice:
            found.append(text[mark.end() :] if mark else text)
    shown = [in_one_line(told) for told in told_elsewhere]
    return [text for text in dict.fromkeys(found) if not any(told in text for told in shown)]


def in_one_line(text: str) -> str:
    """A warning with the advice below it as one line of sentences."""
    *most, last = [line.strip() for line in text.splitlines()] or [""]
    return ". ".join([*(line.rstrip(".") for line in most), last])
