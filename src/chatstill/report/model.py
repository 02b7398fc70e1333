"""What a report shows, as plain data."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Measure:
    """A figure with its bootstrap interval, if it has one, and what it is compared with."""

    value: float
    low: float | None = None
    high: float | None = None
    beside: str = ""


@dataclass(frozen=True)
class ResultRow:
    """One network of the main table.

    Attributes:
        name: As shown.
        parameters: In total.
        size_mb: Weights on disk, in units of 1,000,000 bytes.
        metrics: Fractions by name, in the order of the columns.
        latency_ms: Median milliseconds by setting, such as ``batch 1``.
        highlight: The row that the report is about.
    """

    name: str
    parameters: int | None = None
    size_mb: float | None = None
    metrics: Mapping[str, Measure] = field(default_factory=dict)
    latency_ms: Mapping[str, float] = field(default_factory=dict)
    highlight: bool = False


@dataclass(frozen=True)
class Series:
    """A named curve of (step, value) points; losses of another ``kind`` have an axis of their own."""

    name: str
    points: Sequence[tuple[float, float]]
    kind: str = ""


@dataclass(frozen=True)
class Report:
    """A whole report.

    Attributes:
        title: Of the page.
        summary: One sentence: what came out.
        rows: The main table; the first row is the teacher's, where there is one.
        main_metric: Key of ``ResultRow.metrics`` for the ratio and the plot; empty takes the first.
        lower_is_better: Whether a lower value of it is better: no ratio is shown then.
        reference: Name of the row that ratios refer to; empty takes the first.
        metric_names: Names for the columns where the keys are not what a reader should see.
        plot_latency: Key of ``ResultRow.latency_ms`` for the plot; empty takes the first.
        losses: Loss curves; those of one kind share a chart.
        terms: Curves of the loss's weighted terms, where it has several.
        scores: Curves of the main metric on dev.
        rates: Replacing-rate curves.
        marks: Steps worth a vertical line in all, such as where the rate reaches 1.
        configuration: Values by dotted key, or nested mappings.
        origins: Where a value comes from, by dotted key.
        versions: Of Python, packages, device.
        notes: Paragraphs under the table.
        warnings: What the run warned of.
        data: What ``data_report.json`` holds, empty if it is missing.
        judged: ``dev`` of ``metrics.json``, for the figures class by class.
        noise: Header and rows on which teacher and label disagree most.
        settings: How speed was measured; shown under the table.
    """

    title: str
    summary: str = ""
    rows: Sequence[ResultRow] = ()
    main_metric: str = ""
    lower_is_better: bool = False
    reference: str = ""
    metric_names: Mapping[str, str] = field(default_factory=dict)
    plot_latency: str = ""
    losses: Sequence[Series] = ()
    terms: Sequence[Series] = ()
    scores: Sequence[Series] = ()
    rates: Sequence[Series] = ()
    marks: Sequence[tuple[float, str]] = ()
    configuration: Mapping[str, Any] = field(default_factory=dict)
    origins: Mapping[str, str] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    notes: Sequence[str] = ()
    warnings: Sequence[str] = ()
    data: Mapping[str, Any] = field(default_factory=dict)
    judged: Mapping[str, Any] = field(default_factory=dict)
    noise: Sequence[Sequence[str]] = ()
    settings: str = ""

    def metric(self) -> str:
        """The main metric's key, empty if there are no metrics."""
        return self.main_metric or next((key for row in self.rows for key in row.metrics), "")

    def latency(self) -> str:
        """The plotted latency's key, empty if none was measured."""
        return self.plot_latency or next((key for row in self.rows for key in row.latency_ms), "")

    def metric_name(self, key: str) -> str:
        """A metric as a reader should see it."""
        return self.metric_names.get(key, key)
