"""The page is whole, loads nothing, escapes everything and holds every figure of the table."""

import io
import re
from html.parser import HTMLParser

import pytest
from rich.console import Console

from chatstill.report import (
    Measure,
    Report,
    ResultRow,
    Series,
    render_markdown_table,
    render_report,
    terminal_table,
)
from chatstill.report.table import build_table

VOID = {"meta", "link", "br"}
ROWS = [
    ResultRow(
        "teacher",
        22_713_986,
        90.9,
        {"acc": Measure(0.8731, 0.8602, 0.8853), "mrr": Measure(0.712)},
        {"batch 1": 6.12, "batch 32": 158.4},
    ),
    ResultRow(
        "fine-tuned student",
        17_390_210,
        69.6,
        {"acc": Measure(0.8511, 0.8372, 0.8650), "mrr": Measure(0.651)},
        {"batch 1": 3.21, "batch 32": 30.4},
    ),
    ResultRow(
        "Theseus student",
        17_390_210,
        69.6,
        {"acc": Measure(0.8612, 0.8481, 0.8742), "mrr": Measure(0.684)},
        {"batch 1": 3.19, "batch 32": 30.1},
        highlight=True,
    ),
]
REPORT = Report(
    "Theseus on chat",
    "Kept 98.6 %.",
    ROWS,
    metric_names={"acc": "accuracy", "mrr": "MRR"},
    losses=[Series("teacher", [(n, 1 / (n + 1)) for n in range(900)]), Series("student", [(5, 1)])],
    rates=[Series("student", [(0, 0.3), (100, 1.0)])],
    marks=[(100, "rate reaches 1")],
    configuration={"model_type": "theseus", "theseus_scheduler": {"replacing_rate": 0.3}, "x": {}},
    origins={"theseus_scheduler.replacing_rate": "--set"},
    versions={"torch": "2.13.0"},
    notes=["A note."],
    settings="One thread.",
)


class Page(HTMLParser):
    """Collects tags, attributes and text, and checks that tags close in order."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.open, self.tags, self.attributes, self.words = [], [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)


def test_the_page_parses_and_loads_nothing():
    text = render_report(REPORT)
    page = Page(text)
    assert page.tags.count("svg") == 3 and page.tags.count("details") == 2
    assert not {"script", "img", "iframe", "object", "embed"} & set(page.tags)
    assert not re.search(r"https?:|@import|url\(", text)
    loading = {name: value for name, value in page.attributes if name in ("src", "href")}
    assert loading == {"href": "data:,"}
    assert not any(name.startswith("on") for name, _ in page.attributes)
    assert "prefers-color-scheme" in text and "width=device-width" in text


def test_every_figure_of_the_table_is_in_the_page_the_markdown_and_the_terminal():
    table = build_table(REPORT)
    cells = [part for row in table.rows for cell in row for part in (cell.text, cell.small) if part]
    assert {"22.71 M", "90.9 MB", "0.873", "[0.860, 0.885]", "158", "98.6 % accuracy"} <= set(cells)
    assert "speed 1.92×, 5.26×" in cells
    stream = io.StringIO()
    Console(file=stream, width=200).print(terminal_table(REPORT))
    words = Page(render_report(REPORT)).words
    for text in cells + table.columns[1:]:
        assert text in words
        assert text in render_markdown_table(REPORT)
        assert text in stream.getvalue()


def test_the_terminal_table_fits_80_columns_with_its_figures_whole():
    stream = io.StringIO()
    Console(file=stream, width=80).print(terminal_table(REPORT))
    text = stream.getvalue()
    assert max(map(len, text.splitlines())) <= 80 and "…" not in text
    assert all(figure in text for figure in ("[0.860, 0.885]", "22.71 M", "98.6 % accuracy"))


def test_everything_is_escaped():
    evil = '<script>alert("1")</script>&\'"'
    report = Report(
        evil,
        evil,
        [ResultRow(evil, 1, 1.0, {evil: Measure(0.5)}, {evil: 1.0})],
        losses=[Series(evil, [(0, 1), (1, 0)])],
        marks=[(1, evil)],
        configuration={evil: {evil: evil}},
        origins={f"{evil}.{evil}": evil},
        versions={evil: evil},
        notes=[evil],
        settings=evil,
    )
    text = render_report(report)
    page = Page(text)
    assert "<script" not in text and "script" not in page.tags
    assert sum(evil in word for word in page.words) >= 9
    assert not any(name.startswith(("on", "alert")) for name, _ in page.attributes)


def test_configuration_is_shown_flat_with_origins():
    words = Page(render_report(REPORT)).words
    for word in ("theseus_scheduler.replacing_rate", "0.3", "--set", "theseus", "2.13.0", "{}"):
        assert word in words


def test_what_is_missing_is_left_out_or_a_dash():
    assert "svg" not in Page(render_report(Report("Empty"))).tags
    rows = [ResultRow("a", metrics={"acc": Measure(-0.1)}), ResultRow("b", 5)]
    table = build_table(Report("t", rows=rows))
    assert table.columns == ["model", "parameters", "acc", "ratio to teacher"]
    assert [cell.text for cell in table.rows[0]] == ["a", "–", "-0.100", "–"]
    assert [cell.text for cell in table.rows[1]] == ["b", "5", "–", "–"]
    nan = ResultRow("n", metrics={"acc": Measure(float("nan"))}, latency_ms={"b": float("nan")})
    assert "nan" not in render_report(Report("t", rows=[nan]))


def test_pipes_do_not_break_the_markdown_table():
    lines = render_markdown_table(Report("t", rows=[ResultRow("a|b", 1_000_000)])).splitlines()
    assert lines == ["| model | parameters |", "| --- | ---: |", "| a\\|b | 1.00 M |"]


@pytest.mark.parametrize("name", ["teacher", "Theseus student"])
def test_the_plot_says_its_values_in_tooltips(name):
    row = next(row for row in ROWS if row.name == name)
    tip = f"{name}\n{row.latency_ms['batch 1']:.4g} ms, {row.metrics['acc'].value:.3f}"
    assert any(word.startswith(tip) for word in Page(render_report(REPORT)).words)
