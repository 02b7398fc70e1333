"""A frame of matplotlib as inline SVG: texts stay texts, fonts and colours are the page's own."""

from __future__ import annotations

import logging
import os
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import StringIO
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

    from matplotlib.axes import Axes
    from matplotlib.ticker import Formatter

WIDTH, HEIGHT = 400, 290
LEFT, RIGHT, TOP, BOTTOM = 62, 12, 22, 46
COLOURS = ("c0", "c1", "c2", "c3", "c4", "c5")
_INKS = (*COLOURS, "soft", "rule", "card")  # variables of the style sheet
_INK = re.compile(r"#fe([0-9a-f]{2})ed")
_FONT = re.compile(r"font-(?!size)\w+: [^;]*; ")  # the page's is inherited
_LONG = re.compile(r"\d+\.\d{3,}")
_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def ink(name: str) -> str:
    """A stand-in for a colour of the style sheet, light or dark: the page's SVG names the variable."""
    return f"#fe{_INKS.index(name):02x}ed"


@contextmanager
def drawing(title: str) -> Iterator[None]:
    """matplotlib's own settings, whatever the user's are, and the same names in the SVG each time."""
    logging.getLogger("matplotlib").setLevel(logging.ERROR)  # of its folder for caches, its fonts
    backend = os.environ.pop("MPLBACKEND", None)  # an unknown one would keep it from being imported
    try:
        import matplotlib
    finally:
        if backend is not None:
            os.environ["MPLBACKEND"] = backend
    with matplotlib.rc_context(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its font has no Chinese; the page's has
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(
            {
                "svg.fonttype": "none",
                "svg.hashsalt": plain(title),
                "text.parse_math": False,
                "path.simplify": False,
                "font.family": "DejaVu Sans",
            }
        )
        yield


def frame(
    x_label: str, y_label: str, xs: Sequence[float], ys: Sequence[float], *, from_zero: bool = False
) -> Axes:
    """Empty axes around finite values, with round ticks; call it inside ``drawing``.

    Args:
        x_label: Title of the horizontal axis.
        y_label: Title of the vertical axis.
        xs: Values across.
        ys: Values upwards; the axis ends at whole ticks.
        from_zero: The horizontal axis begins at 0 and ends at a whole tick.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator
    from matplotlib.transforms import nonsingular

    figure = Figure(figsize=(WIDTH / 72, HEIGHT / 72), dpi=72, frameon=False)
    inside = (WIDTH - LEFT - RIGHT) / WIDTH, (HEIGHT - TOP - BOTTOM) / HEIGHT
    axes = figure.add_axes((LEFT / WIDTH, BOTTOM / HEIGHT, *inside), frameon=False)
    x_values = [0.0, *xs] if from_zero else xs
    for axis, values, whole in ((axes.xaxis, x_values, from_zero), (axes.yaxis, ys, True)):
        ends = nonsingular(min(values), max(values), expander=0.1, tiny=1e-9)
        ticks = MaxNLocator(5, steps=[1, 2, 5, 10]).tick_values(*ends)
        if whole:
            ends = float(ticks[0]), float(ticks[-1])
        axis.set_ticks([tick for tick in ticks if ends[0] <= tick <= ends[1]])
        (axes.set_xlim if axis is axes.xaxis else axes.set_ylim)(*ends)
        axis.set_major_formatter(_formatter(max(map(abs, ends))))
    axes.grid(axis="y", color=ink("rule"), linewidth=1, clip_on=False)
    axes.axhline(axes.get_ylim()[0], color=ink("soft"), linewidth=1, clip_on=False)
    axes.tick_params(labelsize=12, color=ink("soft"), labelcolor=ink("soft"), length=4, width=1)
    axes.tick_params(axis="y", length=0, pad=7)
    for set_label, text in ((axes.set_xlabel, x_label), (axes.set_ylabel, y_label)):
        set_label(plain(text), fontsize=12.5, labelpad=7, color=ink("soft"))
    return axes


def plain(text: str) -> str:
    """A text in one line, without what XML cannot hold."""
    return " ".join(_NOT_IN_XML.sub("\ufffd", text).split())


def as_svg(axes: Axes, title: str, tips: Mapping[str, Sequence[str]]) -> str:
    """The figure of axes as an element of the page.

    Args:
        axes: From ``frame``. An artist's gid becomes the class of its group, up to the first space.
        title: For screen readers.
        tips: Tooltips by gid: one for the whole group, or one for each of its points.
    """
    from xml.etree import ElementTree

    from matplotlib.figure import Figure

    assert isinstance(axes.figure, Figure)
    stream = StringIO()
    nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    axes.figure.savefig(stream, format="svg", metadata=nothing)
    root = ElementTree.fromstring(stream.getvalue())
    for element in root.iter():
        for child in [c for c in element if c.tag.endswith(("}metadata", "}style"))]:
            element.remove(child)
        _cleaned(element)
    for group in root.iter("g"):
        _with_tips(group, tips)
    root.attrib = {"viewBox": f"0 0 {WIDTH} {HEIGHT}", "role": "img", "aria-label": plain(title)}
    return ElementTree.tostring(root, encoding="unicode")


def _cleaned(element: Element) -> None:
    """Names without name spaces, the page's fonts and colours, short numbers, no id but of shapes."""
    element.tag = element.tag.rpartition("}")[2]
    element.text, element.tail = (
        text if text and text.strip() else None for text in (element.text, element.tail)
    )
    found = {
        key.replace("{http://www.w3.org/1999/xlink}", "xlink:"): value
        for key, value in element.attrib.items()
    }
    if element.tag == "g":
        name = found.pop("id", "")
        if name.startswith("@"):
            found["id"] = name
    for key in {"d", "style", "x", "y", "transform"} & found.keys():
        value = _LONG.sub(lambda match: f"{float(match[0]):.2f}", found[key])
        if key == "style":
            value = _INK.sub(lambda match: f"var(--{_INKS[int(match[1], 16)]})", value)
            value = _FONT.sub("", value)
        found[key] = value
    element.attrib = found


def _with_tips(group: Element, tips: Mapping[str, Sequence[str]]) -> None:
    """A gid of ours as a class, and its tooltips."""
    from xml.etree.ElementTree import Element

    gid = group.attrib.pop("id", "")
    if not gid:
        return
    group.set("class", gid[1:].split()[0])
    texts = tips.get(gid, ())
    places = [group] if len(texts) == 1 else list(group.iter("use"))
    for place, text in zip(places, texts, strict=bool(texts)):
        tip = Element("title")
        tip.text = _NOT_IN_XML.sub("\ufffd", text)
        place.insert(0, tip)


def _formatter(highest: float) -> Formatter:
    """As many digits as the ticks need; from 10,000 on as k, then as M."""
    from matplotlib.ticker import EngFormatter, ScalarFormatter, StrMethodFormatter

    if highest >= 10_000:
        return EngFormatter(sep="")
    if highest >= 1_000 or highest < 1e-4:
        return StrMethodFormatter("{x:,g}")
    formatter = ScalarFormatter(useOffset=False)
    formatter.set_scientific(False)
    return formatter
