"""The report of a chain of runs: a row and a loss curve for each link."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..disk.run_files import ALONE, COMPARED, DIRECT, resolved_entries
from ..figures import decimals, parameter_count
from .history import read_history
from .model import Report, ResultRow, Series
from .run import NAMES, build_of, main_of, measures, read_json, versions
from .warned import read_warnings


def chain_report(metrics: Mapping[str, Any], folders: Sequence[Path]) -> Report:
    """Teacher and every link's network, their loss curves and configurations.

    Args:
        metrics: ``metrics.json`` of the chain.
        folders: The links' run folders, as they stand in it.
    """
    runs = [read_json(folder / "metrics.json") for folder in folders]
    links = [
        {**link, "curve": f"dev/{link['main']}", "main": main_of(run["dev"])}
        for link, run in zip(metrics["links"], runs, strict=True)
    ]
    rows = []
    last = next((link for link in reversed(links) if link["name"] not in COMPARED), links[-1])
    if (teacher := _teacher(links, runs, last)) is not None:
        rows.append(ResultRow("teacher", teacher["parameters"], metrics=measures(teacher)))
    losses, scores, configuration, origins = [], [], {}, {}
    warned: dict[str, list[str]] = {}
    for link, run, folder in zip(links, runs, folders, strict=True):
        size, found = run["model"]["megabytes"], measures(run["dev"])
        is_last = link["name"] == last["name"]
        rows.append(ResultRow(name_of(link), link["parameters"], size, found, highlight=is_last))
        steps = [phase["steps"] for phase in run["training"]["phases"]]
        history = read_history(folder, steps)
        kind = " + ".join(sorted(history.terms()))
        losses.append(Series(link["name"], history.curve("loss"), kind))
        on_dev = Series(link["name"], history.curve(link["curve"]), _kind_on_dev(run["dev"], kind))
        if link["main"] == last["main"]:
            scores.append(on_dev)
        elif link.get("lower_is_better"):  # of another kind than the last link's figure
            losses.append(replace(on_dev, name=f"{link['name']} on dev"))
        for text in read_warnings(folder):
            warned.setdefault(text, []).append(link["name"])
        for key, entry in resolved_entries(folder).items():
            configuration[f"{link['name']}: {key}"] = entry["value"]
            origins[f"{link['name']}: {key}"] = entry["origin"]
    scores, others = _alike(scores, last["name"])
    losses += others
    methods, tasks = (
        " → ".join(dict.fromkeys(link[key] for link in links)) for key in ("method", "task")
    )
    return Report(
        title=f"{methods} on {tasks}",
        summary=_summary(links),
        rows=rows,
        main_metric=last["main"],
        lower_is_better=last["lower_is_better"],
        reference=_reference(links, last) if teacher is None else "",
        metric_names=NAMES,
        losses=losses,
        scores=scores,
        warnings=[f"{', '.join(names)}: {text}" for text, names in warned.items()],
        configuration=configuration,
        origins=origins,
        versions=versions(runs[-1]),
        notes=notes(metrics),
    )


def _alike(scores: Sequence[Series], last: str) -> tuple[list[Series], list[Series]]:
    """The curves on dev of the last link's kind, and those of others as they are called beside losses."""
    like = next((one.kind for one in scores if one.name == last), "")
    others = [replace(one, name=f"{one.name} on dev") for one in scores if one.kind != like]
    return [one for one in scores if one.kind == like], others


def _kind_on_dev(dev: Mapping[str, Any], kind: str) -> str:
    """The kind of what stands on dev: the loss of a method's terms as in training, a head's, or a metric."""
    if main_of(dev) == "own_loss":
        return kind
    if dev["main"] != "loss":
        return str(dev["main"])
    return "masked" if "pseudo_perplexity" in dev["metrics"] else "next token"


def _teacher(
    links: Sequence[Mapping[str, Any]], runs: Sequence[Mapping[str, Any]], last: Mapping[str, Any]
) -> Mapping[str, Any] | None:
    """Figures of the teacher that the chain began with, if they are of the kind of the last link's."""
    made = {link["network"] for link in links}
    for link, run in zip(links, runs, strict=True):
        alike = link["task"] == last["task"] and link["main"] == last["main"]
        if alike and "teacher" in run and link["teacher"] not in made:
            found: Mapping[str, Any] = run["teacher"]
            return found
    return None


def _reference(links: Sequence[Mapping[str, Any]], last: Mapping[str, Any]) -> str:
    """The row of the first link whose network taught another one; empty for the first row."""
    taught = {link["teacher"] for link in links}
    return next(
        (
            name_of(link)
            for link in links
            if link["network"] in taught and link["task"] == last["task"]
        ),
        "",
    )


def name_of(link: Mapping[str, Any]) -> str:
    """``step1 (3 layers)``."""
    return f"{link['name']} ({build_of(link)})"


def notes(metrics: Mapping[str, Any]) -> list[str]:
    """How each link's network came about, where it lies, and those that it is compared with."""
    lines = []
    for link in metrics["links"]:
        after = f" after {', '.join(link['after'])}" if link["after"] else ""
        ended = f"; {link['ended']}" if link.get("ended") else ""
        head = f"; {link['head']}" if link.get("head") else ""
        method = "gold labels alone" if link["name"] == ALONE else link["method"]
        made = f"{method}{after}, {link['steps']:,} steps{ended}"
        lines.append(f"{link['name']}: {made}; {link['network']}{head}")
    sizes = {link["name"]: link["parameters"] for link in metrics["links"]}
    steps = {link["name"]: link["steps"] for link in metrics["links"]}
    for key, words in ((DIRECT, "taught directly"), (ALONE, "fine-tuned alone")):
        found = metrics.get(key)
        if found is None:
            continue
        low, high = found["interval"]
        name = _metric(found)
        worse = "; it is above" if found.get("lower_is_better") else "; it is below"
        better = low > 0 if worse == "; it is below" else high < 0
        verdict = "" if better else "; the interval holds 0" if low <= 0 <= high else worse
        if found["difference"] == low == high == 0:
            verdict = "; no row tells the two apart"
        other, own = sizes.get(key), sizes.get(found["student"])
        if (
            other is not None and own is not None and other != own
        ):  # such as words of its rows alone
            words += f" ({parameter_count(other)} parameters, not {parameter_count(own)})"
        own_steps, taught = steps.get(key), steps.get(found["student"])
        if key == ALONE and own_steps and taught and own_steps != taught:
            words += f" ({own_steps:,} steps, not {taught:,}: max_steps makes them equal)"
        lines.append(
            f"{found['student']} less the same student {words}: {name} "
            f"{found['difference']:+.3f} [{low:+.3f}, {high:+.3f}], paired 95 % bootstrap interval "
            f"over the dev set, one seed{verdict}."
        )
    return lines


def _summary(links: Sequence[Mapping[str, Any]]) -> str:
    """``step1 accuracy 0.812 → step2 accuracy 0.850; alone accuracy 0.830``."""
    steps = " → ".join(_step(link) for link in links if link["name"] not in COMPARED)
    return "; ".join([steps, *(_step(link) for link in links if link["name"] in COMPARED)])


def _step(link: Mapping[str, Any]) -> str:
    value = link["value"]
    figure = "–" if value is None else decimals(value)
    return f"{link['name']} {_metric(link)} {figure}"


def _metric(found: Mapping[str, Any]) -> str:
    """A main metric's name, and whether it is an error; of a loss the name says it."""
    name = NAMES.get(found["main"], str(found["main"]))
    told = found.get("lower_is_better") and "loss" not in name
    return f"{name} (lower is better)" if told else name
