"""The report as one HTML file: style and drawings inline, no script, nothing is loaded."""

import json
from collections.abc import Mapping
from html import escape
from typing import Any

from .classes import classes_section
from .curves import line_chart
from .data import data_section
from .model import Report
from .noise import noise_section
from .placing import Dot
from .scatter import scatter_plot
from .style import STYLE
from .table import build_table, html_table

_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def render_report(report: Report) -> str:
    """The whole page; every text of the report is escaped."""
    sections = [
        f"<header><h1>{escape(report.title)}</h1>"
        f'<p class="summary">{escape(report.summary)}</p></header>',
        _results(report),
        _warnings(report),
        classes_section(
            report.judged, next((row.name for row in report.rows if row.highlight), "")
        ),
        _charts(report),
        data_section(report.data),
        noise_section(report.noise),
        _values("Configuration", flat(report.configuration), report.origins),
        _values("Versions", dict(report.versions), {}),
    ]
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<link rel="icon" href="data:,">\n<title>{escape(report.title)}</title>\n'
        f"<style>{STYLE}</style>\n</head>\n<body>\n<main>\n"
        + "\n".join(section for section in sections if section)
        + "\n</main>\n</body>\n</html>\n"
    )


def flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested mappings as dotted keys; empty mappings stay as they are."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            found.update(flat(value, f"{prefix}{key}."))
        else:
            found[f"{prefix}{key}"] = value
    return found


def _results(report: Report) -> str:
    parts = []
    if report.rows:
        parts.append(f'<h2>Results</h2><div class="main">{html_table(build_table(report))}</div>')
    if report.settings:
        parts.append(f'<p class="soft">{escape(report.settings)}</p>')
    if report.notes:
        notes = "".join(f"<li>{escape(note)}</li>" for note in report.notes)
        parts.append(f'<ul class="notes">{notes}</ul>')
    return f"<section>{''.join(parts)}</section>" if parts else ""


def _warnings(report: Report) -> str:
    items = "".join(f"<li>{escape(text)}</li>" for text in report.warnings)
    return f'<section><h2>Warnings</h2><ul class="warned">{items}</ul></section>' if items else ""


def _charts(report: Report) -> str:
    metric = report.metric_name(report.metric())
    figures = [
        _quality_and_latency(report),
        line_chart(report.losses, title="Loss", y_label="loss", marks=report.marks),
        line_chart(report.terms, title="Terms of the loss", y_label="weighted", marks=report.marks),
        line_chart(
            report.scores,
            title=f"{metric} on dev",
            y_label=metric,
            marks=report.marks,
            palette=[series.name for series in report.losses],
        ),
        line_chart(
            report.rates,
            title="Replacing rate",
            y_label="rate",
            marks=report.marks,
            y_range=(0.0, 1.0),
            palette=[series.name for series in report.losses],
        ),
    ]
    drawn = "".join(figures)
    return f'<section><h2>Curves</h2><div class="charts">{drawn}</div></section>' if drawn else ""


def _quality_and_latency(report: Report) -> str:
    metric, latency = report.metric(), report.latency()
    dots = [
        Dot(
            row.name,
            row.latency_ms[latency],
            row.metrics[metric].value,
            row.metrics[metric].low,
            row.metrics[metric].high,
        )
        for row in report.rows
        if metric in row.metrics and latency in row.latency_ms
    ]
    name = report.metric_name(metric)
    return scatter_plot(
        dots, title="Quality and latency", x_label=f"milliseconds, {latency}", y_label=name
    )


def _values(title: str, values: Mapping[str, Any], origins: Mapping[str, str]) -> str:
    """A folded list of keys, values and where they come from."""
    if not values:
        return ""
    rows = []
    for key, value in values.items():
        text = (
            value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
        )
        origin = f"<td>{escape(origins.get(key, ''))}</td>" if origins else ""
        cell = f"<td><code>{escape(text)}</code></td>"
        rows.append(f'<tr><th scope="row">{escape(key)}</th>{cell}{origin}</tr>')
    return (
        f"<details><summary>{escape(title)}</summary>"
        f'<table class="values"><tbody>{"".join(rows)}</tbody></table></details>'
    )
