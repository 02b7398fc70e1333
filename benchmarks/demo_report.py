"""The demo's table and page, put together from the folders of its runs."""

from collections.abc import Mapping, Sequence
from typing import Any

from chatstill.config import Loaded
from chatstill.report import Measure, Report, ResultRow, Series
from chatstill.report.history import RATE, History, read_history
from chatstill.report.run import read_json, versions
from chatstill.tasks import get_task
from chatstill.tasks.intervals import bootstrap, paired_bootstrap
from chatstill.tasks.predictions import Predictions, read_predictions
from demo_runs import Run

METRICS = {"accuracy": "accuracy", "mrr": "MRR", "r10@1": "R10@1"}
MAIN = "mrr"
RESAMPLES = 1000


def build_report(
    runs: Sequence[Run],
    loaded: Sequence[Loaded],
    counts: Mapping[str, int],
    speed: Mapping[str, Any],
) -> Report:
    """The whole report.

    Args:
        runs: Teacher, two students fine-tuned without replacing, Theseus; all finished.
        loaded: Their configurations.
        counts: Of the data, from ``chat_corpus.build``.
        speed: From ``demo_latency.latencies``.
    """
    metrics = [read_json(run.folder / "metrics.json") for run in runs]
    task = get_task("chat")
    found = [read_predictions(run.folder / "predictions.tsv", task.label_words) for run in runs]
    rows = [
        _row(run, one, predictions, speed["ms"][run.folder.name])
        for run, one, predictions in zip(runs, metrics, found, strict=True)
    ]
    histories = [_history(run, one) for run, one in zip(runs, metrics, strict=True)]
    return Report(
        title="Half the layers by module replacing: 6 to 3",
        summary=summary(rows),
        rows=rows,
        main_metric=MAIN,
        metric_names=METRICS,
        plot_latency="batch 1",
        losses=[
            Series(run.name, one.curve("loss")) for run, one in zip(runs, histories, strict=True)
        ],
        rates=[
            Series(run.name, one.curve(RATE))
            for run, one in zip(runs, histories, strict=True)
            if one.curve(RATE)
        ],
        marks=histories[-1].marks(),
        configuration=_written(runs, loaded, "value"),
        origins=_written(runs, loaded, "origin"),
        versions=versions(metrics[-1]),
        notes=[comparison(found, runs), *data_notes(counts, metrics), _kept(runs, metrics)],
        settings=_settings(speed),
    )


def _row(
    run: Run, metrics: Mapping[str, Any], found: Predictions, ms: Mapping[str, float]
) -> ResultRow:
    """Figures of one network, each with its bootstrap interval over queries."""
    task, measures = get_task("chat"), {}
    for key in METRICS:
        metric = task.metric(key)
        low, high = bootstrap(metric, found.scores, found.labels, found.groups, n=RESAMPLES)
        measures[key] = Measure(metric(found.scores, found.labels, found.groups), low, high)
    model = metrics["model"]
    return ResultRow(
        run.name,
        model["parameters"],
        model["megabytes"],
        measures,
        ms,
        highlight=run.verb == "distill",
    )


def _history(run: Run, metrics: Mapping[str, Any]) -> History:
    return read_history(run.folder, [phase["steps"] for phase in metrics["training"]["phases"]])


def summary(rows: Sequence[ResultRow]) -> str:
    """What came out, in a sentence, whoever won."""
    teacher, alone, truncated, theseus = (row.metrics[MAIN].value for row in rows)
    first, last = rows[0], rows[-1]
    assert first.parameters and last.parameters
    share = 100 * last.parameters / first.parameters
    faster = first.latency_ms["batch 1"] / last.latency_ms["batch 1"]
    return (
        f"With half of the teacher's layers, {share:.0f} % of its parameters and {faster:.1f} times its "
        f"speed (batch 1), the Theseus student keeps {100 * theseus / teacher:.1f} % of its MRR "
        f"({theseus:.3f} of {teacher:.3f}); without replacing, the teacher's first layers fine-tuned keep "
        f"{100 * truncated / teacher:.1f} % ({truncated:.3f}), the pretrained ones "
        f"{100 * alone / teacher:.1f} % ({alone:.3f})."
    )


def comparison(found: Sequence[Predictions], runs: Sequence[Run]) -> str:
    """Theseus against both students without replacing, on the same queries."""
    metric, theseus = get_task("chat").metric(MAIN), found[-1]
    parts = []
    for run, other in zip(runs[1:-1], found[1:-1], strict=True):
        difference, low, high = paired_bootstrap(
            metric, theseus.scores, other.scores, other.labels, other.groups, n=RESAMPLES
        )
        parts.append(f"less “{run.name}” {difference:+.3f} [{low:+.3f}, {high:+.3f}]")
    return (
        f"MRR of “{runs[-1].name}” {', '.join(parts)} (95 % intervals, paired bootstrap over queries). "
        f"“{runs[1].name}” starts from the pretrained network, “{runs[2].name}” from the teacher, as "
        "Theseus does. One seed; all students were trained for the same number of epochs. Learning rates "
        "were chosen on this dev set, the best of several for those without replacing."
    )


def data_notes(counts: Mapping[str, int], metrics: Sequence[Mapping[str, Any]]) -> list[str]:
    """What the rows are, and what chance gets on them."""
    dev = metrics[-1]["dev"]["metrics"]
    return [
        "Data: the English conversations of the package chatterbot-corpus. A turn and the next are a "
        "positive pair; negatives are replies drawn from other conversations of the same split.",
        f"{counts['train_rows']:,} training rows (1 negative for each positive), "
        f"{counts['dev_rows']:,} dev rows: {counts['dev_queries']} queries with 1 true and 9 other "
        "replies each. Split by conversation: conversations that share any turn stay together, so no "
        "text of dev occurs in training.",
        f"A random ranker gets MRR {dev['random_mrr']:.3f} and R10@1 {dev['random_r10@1']:.3f}; calling "
        "every pair a negative gets accuracy 0.900 (training has as many positives as negatives, dev "
        "one in ten, and the threshold is not moved: ranking is what was learnt). Brackets: 95 % "
        "bootstrap intervals over queries.",
    ]


def _kept(runs: Sequence[Run], metrics: Sequence[Mapping[str, Any]]) -> str:
    steps = "; ".join(
        f"{run.name}: step {one['kept']['step']:,}" for run, one in zip(runs, metrics, strict=True)
    )
    return f"Weights kept: those of the last step, none chosen on dev ({steps})."


def _settings(speed: Mapping[str, Any]) -> str:
    lengths = ", ".join(f"{size}: {length} tokens" for size, length in speed["length"].items())
    threads = "1 thread" if speed["threads"] == 1 else f"{speed['threads']} threads"
    return (
        f"Milliseconds: median of a forward pass on {speed['device']}, {threads}, "
        f"float32, networks timed in turns on real dev rows padded to the batch's longest "
        f"(median length, {lengths})."
    )


def _written(runs: Sequence[Run], loaded: Sequence[Loaded], part: str) -> dict[str, Any]:
    """What the configuration files set, beside what a run makes of it; defaults are left out."""
    return {
        f"{run.folder.name}.{key}": entry[part]
        for run, one in zip(runs, loaded, strict=True)
        for key, entry in one.resolved().items()
        if entry["origin"] != "default"
    }
