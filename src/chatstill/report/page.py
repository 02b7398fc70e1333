"""The report as one HTML file: style and drawings inline, no script, nothing is loaded."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .charts import Chart, Dot, line_chart, scatter_plot
from .classes import class_figures
from .data import data_part
from .model import Report
from .noise import FILE, noise_items
from .table import build_table

if TYPE_CHECKING:
    from jinja2 import Environment

TEMPLATES = Path(__file__).parent / "templates"


def render_report(report: Report) -> str:
    """The whole page; every text of the report is escaped."""
    page = _templates().get_template("page.html")
    return page.render(
        report=report,
        table=build_table(report),
        classes=class_figures(report.judged),
        of=next((row.name for row in report.rows if row.highlight), ""),
        charts=_charts(report),
        data=data_part(report.data),
        noise=noise_items(report.noise),
        noise_file=FILE,
        configuration={key: _shown(value) for key, value in flat(report.configuration).items()},
    )


@cache
def _templates() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(
        loader=FileSystemLoader(TEMPLATES, encoding="utf-8"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
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


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _charts(report: Report) -> list[Chart]:
    metric = report.metric_name(report.metric())
    palette = [series.name for series in report.losses]
    marks = report.marks
    drawn = [
        _quality_and_latency(report),
        *_losses(report, palette),
        line_chart(report.terms, title="Terms of the loss", y_label="weighted", marks=marks),
        line_chart(
            report.scores, title=f"{metric} on dev", y_label=metric, marks=marks, palette=palette
        ),
        line_chart(
            report.rates,
            title="Replacing rate",
            y_label="rate",
            marks=marks,
            y_range=(0.0, 1.0),
            palette=palette,
        ),
    ]
    return [chart for chart in drawn if chart]


def _losses(report: Report, palette: list[str]) -> list[Chart | None]:
    """A chart for each kind of loss: figures of different kinds do not stand on one axis."""
    kinds = list(dict.fromkeys(series.kind for series in report.losses if series.points))
    return [
        line_chart(
            [series for series in report.losses if series.kind == kind],
            title=f"Loss: {kind}" if len(kinds) > 1 and kind else "Loss",
            y_label="loss",
            marks=report.marks,
            palette=palette,
        )
        for kind in kinds
    ]


def _quality_and_latency(report: Report) -> Chart | None:
    metric, latency = report.metric(), report.latency()
    dots = []
    for row in report.rows:
        if metric in row.metrics and latency in row.latency_ms:
            found = row.metrics[metric]
            place = row.latency_ms[latency], found.value
            dots.append(Dot(row.name, *place, found.low, found.high))
    name = report.metric_name(metric)
    return scatter_plot(
        dots, title="Quality and latency", x_label=f"milliseconds, {latency}", y_label=name
    )
