"""From finished cells to the table of `dc_bert_ranking.py`."""

import argparse
from typing import Any

import numpy as np

import dc_bert_cells as cells
import dc_bert_data as data
import machine
from dc_bert_cells import ON, TEACHER, TFIDF
from dc_bert_figures import METRICS, paired

SOFT = " soft"
RIVALS = {"over": TEACHER, "over on": ON}


def summarise(options: argparse.Namespace) -> dict[str, Any]:
    """Of each set: every arm's figures on test, its differences to the cross-encoders; what is missing."""
    done, missing = [], []
    for cell in cells.plan(options):
        (done if cells.is_done(cell) else missing).append(cell)
    names = dict.fromkeys(cell.task for cell in [*done, *missing])
    sets = {name: _of_set(options, [cell for cell in done if cell.task == name]) for name in names}
    sets = {name: found for name, found in sets.items() if found["arms"]}
    counts = {name: data.build(name, options.data, options.work / "data" / name) for name in sets}
    verdict = cells.decision(options) if "kdconv" in options.sets else None
    for name, found in sets.items():
        given_up = name == "kdconv" and verdict is not None and verdict["replaced"]
        found["counts"] = counts[name]
        found["lacking"] = [] if given_up else _lacking(options, found["arms"], name)
    return {"sets": sets, "missing": [cell.name for cell in missing], "decision": verdict}


def _of_set(options: argparse.Namespace, done: list[cells.RankCell]) -> dict[str, Any]:
    kept: dict[str, dict[int, dict[str, Any]]] = {}
    tried: dict[str, dict[str, float]] = {}
    for arm in cells.ARMS:
        of_arm = [cell for cell in done if cell.arm == arm]
        for seed in options.seeds:
            of_seed = [cell for cell in of_arm if cell.seed == seed]
            if of_seed:
                kept.setdefault(arm, {})[seed] = cells.read(max(of_seed, key=cells.dev_map))
            if of_seed[1:]:
                tried[arm] = {f"{cell.rate:g}": cells.dev_map(cell) for cell in of_seed}
    soft = {arm: found for arm in kept if (found := _of_soft_labels(arm, kept)) is not None}
    return {"arms": {arm: _of_arm(arm, kept) for arm in kept}, "tried": tried, "soft": soft}


def _of_soft_labels(arm: str, kept: dict[str, dict[int, dict[str, Any]]]) -> dict[str, Any] | None:
    """What an arm with soft labels has over the same one without, of the seeds that both have."""
    plain = kept.get(arm.removesuffix(SOFT), {})
    shared = [seed for seed in kept[arm] if seed in plain] if arm.endswith(SOFT) else []
    if not shared:
        return None
    difference, interval = paired(_mean_map(kept[arm], shared), _mean_map(plain, shared))
    return {"difference": difference, "interval": interval}


def _of_arm(arm: str, kept: dict[str, dict[int, dict[str, Any]]]) -> dict[str, Any]:
    """An arm's means over its seeds, and what it has over each cross-encoder of the same seeds."""
    seeds = kept[arm]
    row: dict[str, Any] = {"seeds": sorted(seeds)}
    row |= {name: [float(np.mean(one["test"][name])) for one in seeds.values()] for name in METRICS}
    one = seeds[min(seeds)]
    row |= {key: one[key] for key in ("rate", "words", "parameters") if key in one}
    row["seconds"] = [one["seconds"] for one in seeds.values() if "seconds" in one]
    for column, rival in RIVALS.items():
        shared = [seed for seed in seeds if seed in kept.get(rival, {})] if arm != TFIDF else []
        if arm == TFIDF and rival in kept:  # it has no seeds: the rival's mean over its own
            difference = paired(_map(seeds[min(seeds)]), _mean_map(kept[rival], [*kept[rival]]))
        elif shared and arm != rival:
            difference = paired(_mean_map(seeds, shared), _mean_map(kept[rival], shared))
        else:
            continue
        row[column] = {"difference": difference[0], "interval": difference[1]}
        row[column]["share"] = 1 + difference[0] / float(
            _mean_map(kept[rival], shared or [*kept[rival]]).mean()
        )
    return row


def _map(found: dict[str, Any]) -> np.ndarray:
    return np.array(found["test"]["map"])


def _mean_map(of_seed: dict[int, dict[str, Any]], seeds: list[int]) -> np.ndarray:
    """(Q,) the mean over seeds of each question's average precision."""
    return np.mean([_map(of_seed[seed]) for seed in seeds], axis=0)


def _lacking(options: argparse.Namespace, arms: dict[str, Any], name: str) -> list[str]:
    """Arms that are asked for and have fewer seeds than they are to have."""
    of_set = cells.Cells(options, name)
    seeds = len(of_set.seeds)
    wanted = [
        arm
        for arm in cells.ARMS
        if (not options.only or arm in (TEACHER, TFIDF, *options.only)) and of_set.has(arm)
    ]
    most = {arm: 1 if arm == TFIDF else cells.ARMS[arm].most or seeds for arm in wanted}
    return [
        arm for arm in wanted if len(arms.get(arm, {"seeds": ()})["seeds"]) < min(most[arm], seeds)
    ]


def as_markdown(results: dict[str, Any]) -> str:
    """The report, PARTIAL where cells are missing."""
    lines = ["# DC-BERT beside its cross-encoder: ranking", ""]
    lacking = [
        f"{name} {arm}" for name, found in results["sets"].items() for arm in found["lacking"]
    ]
    if results["missing"] or lacking or not results["sets"]:
        shown = results["missing"][:4] or lacking[:4]
        lines += [f"**PARTIAL: still to run: {', '.join(shown)} and what follows them.**", ""]
    lines += [
        "Test questions, apart from dev and train; dev chooses the step of each run (by MAP) and, with the "
        "first seed, the learning rate. The cross-encoder is fine-tuned by `chatstill teach`; each DC-BERT "
        "starts from the one of its seed and trains on, and so does the cross-encoder that is trained on: "
        "it has as many steps. Soft labels: `weight_soft` 1 beside `weight_hard` 1. Mean over seeds (each "
        "in brackets), times 100, over the questions with a relevant candidate. Differences: MAP, 95 % "
        "interval of a bootstrap paired by question, over the mean of the seeds; behind it the MAP in "
        "per cent of the other one's.",
        "",
    ]
    lines += _decided(results["decision"])
    for name, found in results["sets"].items():
        lines += [*_head(name, found), *(_line(arm, row) for arm, row in found["arms"].items()), ""]
        lines += [*_softened(found["soft"]), *_tried(found["tried"])]
    return "\n".join([*lines, f"{machine.as_line(results['machine'])}.", ""])


def _head(name: str, found: dict[str, Any]) -> list[str]:
    of_set = data.SETS[name]
    counts = ", ".join(
        f"{found['counts'][part]['questions']:,} questions ({found['counts'][part]['rows']:,} rows) {part}"
        for part in data.PARTS
    )
    start = (
        "a small Chinese masked language model, 4 × 256" if of_set.chinese else "MiniLM, 6 × 384"
    )
    first, then = of_set.epochs
    return [
        f"## {of_set.title}",
        "",
        f"{counts}. The cross-encoder: {start}, {first} epochs; {then} more of everything else. Rows of "
        f"{of_set.max_seq_length} tokens at most, DC-BERT's queries of {of_set.max_query_length}.",
        "",
        "| arm | rate | seeds | MAP | MRR | P@1 | over the cross-encoder | over it trained on |",
        "|---|---|---|---|---|---|---|---|",
    ]


def _line(arm: str, row: dict[str, Any]) -> str:
    title = cells.ARMS[arm].title + (f" ({row['words']})" if "words" in row else "")
    rate = f"{row['rate']:g}" if row.get("rate") else "–"
    seeds = "–" if arm == TFIDF else str(len(row["seeds"]))
    overs = [_over(row[column]) if column in row else "–" for column in RIVALS]
    return (
        f"| {' | '.join([title, rate, seeds, *(_mean(row[name]) for name in METRICS), *overs])} |"
    )


def _mean(values: list[float]) -> str:
    text = f"{100 * np.mean(values):.1f}"
    return f"{text} ({', '.join(f'{100 * one:.1f}' for one in values)})" if values[1:] else text


def _over(found: dict[str, Any]) -> str:
    return f"{_difference(found)}, {100 * found['share']:.1f} %"


def _difference(found: dict[str, Any]) -> str:
    low, high = (f"{100 * end:+.1f}" for end in found["interval"])
    return f"{100 * found['difference'] + 0.0:+.1f} [{low}, {high}]"


def _softened(soft: dict[str, dict[str, Any]]) -> list[str]:
    if not soft:
        return []
    each = [
        f"{cells.ARMS[arm.removesuffix(SOFT)].title.removeprefix('DC-BERT, ')} {_difference(found)}"
        for arm, found in soft.items()
    ]
    return [f"MAP with soft labels over the same without: {'; '.join(each)}.", ""]


def _tried(tried: dict[str, dict[str, float]]) -> list[str]:
    if not tried:
        return []
    arms = [
        f"{cells.ARMS[arm].title} {', '.join(f'{rate}: {100 * v:.1f}' for rate, v in rates.items())}"
        for arm, rates in tried.items()
    ]
    return [f"MAP on dev by learning rate, first seed: {'; '.join(arms)}.", ""]


def _decided(verdict: dict[str, Any] | None) -> list[str]:
    """Whether KdConv stays, by its figures on dev."""
    if verdict is None:
        return []
    one, two = (f"{100 * verdict[name]:.1f}" for name in (TEACHER, TFIDF))
    low, high = (f"{100 * end:+.1f}" for end in verdict["interval"])
    text = f"KdConv on dev: the cross-encoder's MAP is {one}, TF-IDF's {two} (difference [{low}, {high}])."
    if not verdict["replaced"]:
        return [f"{text} It is clearly above, so KdConv stays.", ""]
    return [f"{text} It is not clearly above, so LCQMC takes KdConv's place.", ""]
