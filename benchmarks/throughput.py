"""Distillation speed: chatstill and the `textbrewer` package on the same work.

Teacher: the 6-layer MiniLM, student: its first 3 layers, both 384 wide; SST-2 and MRPC rows, batch 32,
float32, one thread; on a GPU networks of bert-base's width with 12 and 6 layers and random weights, and
chatstill's arms in bf16 beside. Two losses: soft labels alone (`logits`), and with hidden states and
attention scores of three layers, spread evenly (`inner`). `textbrewer` runs as its documentation has it,
rows padded to 128 and the teacher live, and once more on chatstill's own batches. chatstill runs with the
teacher live and from a filled cache; the pass that fills it is measured beside. The arms take turns in one
run, each in a process of its own; medians over the turns. Tokenising and saving are not counted.

    pip install -c constraints.txt -e ".[throughput]"
    python benchmarks/throughput.py --data path/to/glue
"""

import argparse
import importlib.util
import json
import statistics
from pathlib import Path
from typing import Any

import machine
from chatstill.figures import byte_size
from speed_arms import UNCOUNTED
from throughput_arms import ARMS, FEATURES, HALF, Setting, worker
from train_speed import Worker, forward_flops, has_cuda

NAMES = {
    "textbrewer": "textbrewer, padded to 128",
    "textbrewer_same": "textbrewer, chatstill's batches",
    "live": "chatstill, teacher live",
    "filling": "filling the cache",
    "filled": "chatstill, filled cache",
    "three_epochs": "chatstill, three epochs with the filling",
}
NAMES |= {f"{arm}_bf16": f"{name}, bf16" for arm, name in NAMES.items()}
EPOCHS = 3
# (task, ours, theirs) -> times; the same for both losses.
AIMS = {
    ("sst2", "three_epochs", "textbrewer"): 8.0,
    ("sst2", "filled", "textbrewer"): 12.0,
    ("mrpc", "three_epochs", "textbrewer"): 2.5,
    ("mrpc", "filled", "textbrewer"): 4.0,
    ("sst2", "live", "textbrewer_same"): 0.95,
    ("sst2", "filled", "textbrewer_same"): 1.5,
    ("mrpc", "live", "textbrewer_same"): 0.95,
    ("mrpc", "filled", "textbrewer_same"): 1.5,
}
RESULTS = Path(__file__).parent / "results"


def operations(arm: str, sizes: dict[str, int], shapes: list[Any]) -> int:
    """Matrix-product operations of a turn: the teacher forward, the student forward and backward."""
    student = {**sizes, "num_hidden_layers": sizes["num_hidden_layers"] // 2}
    teach = sum(forward_flops(sizes, *shape) for shape in shapes)
    learn = 3 * sum(forward_flops(student, *shape) for shape in shapes)
    return {"filling": teach, "filled": learn}.get(arm.removesuffix("_bf16"), teach + learn)


def measure(task: str, features: str, options: argparse.Namespace) -> dict[str, Any]:
    """All arms on one task and loss: figures of every turn."""
    arms = [*options.arms, "peak"]
    workers = {
        arm: Worker(
            Setting(
                arm, options.threads, options.data, task, features, options.steps, options.batch
            ),
            worker,
        )
        for arm in arms
    }
    turns: dict[str, list[dict[str, Any]]] = {arm: [] for arm in arms}
    for number in range(-1, options.rounds):  # the first turn of each is not counted
        for arm, each in workers.items():
            steps = max(UNCOUNTED + 2, options.steps // 8 if arm == "textbrewer" else options.steps)
            if number < 0:
                steps = UNCOUNTED + 2
            answer = each.turn(steps, seed=number + 1)
            if answer and "error" not in answer and number >= 0:
                turns[arm].append(answer)
            show(f"{task}, {features}", number, arm, answer or {"error": each.error})
    for each in workers.values():
        each.close()
    errors = {arm: each.error for arm, each in workers.items() if each.error}
    sizes = workers["peak"].hello.get("sizes", {})
    device = workers["peak"].hello.get("device")
    found = {"task": task, "features": features, "device": device}
    return {**found, "turns": turns, "sizes": sizes, "errors": errors}


def show(what: str, number: int, arm: str, answer: dict[str, Any]) -> None:
    """A line of progress."""
    if "shapes" in answer:
        rate = sum(rows for rows, _ in answer["shapes"]) / answer["seconds"]
        text = f"{rate:.1f} examples/s"
    elif "flops_per_second" in answer:
        text = f"{answer['flops_per_second'] / 1e9:.0f} GFLOP/s"
    else:
        text = answer.get("error", "not run")
    turn = "warm-up" if number < 0 else f"turn {number + 1}"
    print(f"{what}, {turn}: {arm}: {text}", flush=True)


def summary(measured: dict[str, Any]) -> dict[str, Any]:
    """Medians over the turns of each arm, and the factors between them."""
    turns, sizes = measured["turns"], measured["sizes"]
    peaks = [turn["flops_per_second"] for turn in turns.get("peak", [])]
    peak = statistics.median(peaks) if peaks else float("nan")
    rows: dict[str, dict[str, Any]] = {}
    for arm in (name for name in (*ARMS, *HALF) if turns.get(name)):
        rates, shares, tokens = [], [], []
        for turn in turns[arm]:
            number = sum(batch for batch, _ in turn["shapes"])
            rates.append(number / turn["seconds"])
            shares.append(operations(arm, sizes, turn["shapes"]) / turn["seconds"] / peak)
            tokens.append(sum(batch * length for batch, length in turn["shapes"]) / number)
        rows[arm] = {
            "examples_per_second": statistics.median(rates),
            "lowest": min(rates),
            "highest": max(rates),
            "tokens_per_example": statistics.median(tokens),
            "share_of_peak": statistics.median(shares),
            "peak_bytes": max(turn["peak_bytes"] for turn in turns[arm]),
        }
    rates_of = {arm: row["examples_per_second"] for arm, row in rows.items()}
    for ending in ("", "_bf16"):
        if {f"filling{ending}", f"filled{ending}"} <= rates_of.keys():
            once, each = 1 / rates_of[f"filling{ending}"], 1 / rates_of[f"filled{ending}"]
            rates_of[f"three_epochs{ending}"] = EPOCHS / (once + EPOCHS * each)
    factors = [
        {
            "ours": ours,
            "theirs": theirs,
            "times": rates_of[ours] / rates_of[theirs],
            "aim": None if measured.get("device") else AIMS.get((measured["task"], ours, theirs)),
        }
        for theirs in ("textbrewer", "textbrewer_same")
        for ending in ("", "_bf16")
        for ours in (f"{name}{ending}" for name in ("live", "three_epochs", "filled"))
        if {ours, theirs} <= rates_of.keys()
    ]
    return {
        "task": measured["task"],
        "features": measured["features"],
        "peak_gflops": peak / 1e9,
        "arms": rows,
        "three_epochs": {
            arm: rate for arm, rate in rates_of.items() if arm.startswith("three_epochs")
        },
        "cache_bytes": next((turn["bytes"] for turn in turns.get("filling", [])), None),
        "factors": factors,
        "errors": measured["errors"],
    }


def as_markdown(results: dict[str, Any]) -> str:
    """The tables, with what they were measured on."""
    options = results["options"]
    about = (__doc__ or "").split("\n\n")[1]
    lines = ["# Speed of distillation", "", " ".join(about.split()), ""]
    if results.get("missing"):
        lines += [f"**PARTIAL: missing are {'; '.join(results['missing'])}.**", ""]
    for part in results["summaries"]:
        lines += [
            f"## {part['task']}, {part['features']}",
            "",
            f"Peak of matrix products: {part['peak_gflops']:.0f} GFLOP/s.",
            "",
            "| | examples/s | lowest–highest | tokens per row | share of peak | memory |",
            "|---|---|---|---|---|---|",
        ]
        for arm, row in part["arms"].items():
            lines.append(
                f"| {NAMES[arm]} | {row['examples_per_second']:.1f} "
                f"| {row['lowest']:.1f}–{row['highest']:.1f} | {row['tokens_per_example']:.1f} "
                f"| {row['share_of_peak']:.0%} | {row['peak_bytes'] / 2**20:.0f} MiB |"
            )
        for arm, rate in part["three_epochs"].items():
            lines.append(f"| {NAMES[arm]} | {rate:.1f} | | | | |")
        if part["three_epochs"]:
            lines += ["", f"The cache takes {byte_size(part['cache_bytes'] or 0)}."]
        lines.append("")
        for factor in part["factors"]:
            aim = f" (aim {factor['aim']:g})" if factor["aim"] else ""
            lines.append(
                f"- {NAMES[factor['ours']]}: {factor['times']:.2f} times "
                f"*{NAMES[factor['theirs']]}*{aim}"
            )
        lines += [f"- not measured: {NAMES.get(a, a)}: {e}" for a, e in part["errors"].items()]
        lines.append("")
    lines += [
        f"Batch {options['batch']}, {options['steps']} steps a turn (an eighth of them where rows are "
        f"padded to 128, as all of those cost the same), {options['rounds']} turns, "
        f"{options['threads']} thread(s). {machine.as_line(results['machine'])}.",
        "",
    ]
    return "\n".join(lines)


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--data", type=Path, default=Path("../shared/data/glue"), help="GLUE folder"
    )
    parser.add_argument("--tasks", nargs="+", choices=("sst2", "mrpc"), default=["sst2", "mrpc"])
    parser.add_argument("--features", nargs="+", choices=FEATURES, default=list(FEATURES))
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=list(ARMS))
    parser.add_argument("--steps", type=int, default=112, help="optimizer steps of a turn")
    parser.add_argument("--rounds", type=int, default=3, help="turns of each arm")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    if options.steps < 8 or options.rounds < 1:
        parser.error("--steps must be at least 8 and --rounds at least 1")
    if importlib.util.find_spec("textbrewer") is None:
        print("textbrewer is not installed (see --help): chatstill's arms alone", flush=True)
        options.arms = [arm for arm in options.arms if not arm.startswith("textbrewer")]
    options.cuda = has_cuda()
    if options.cuda:
        options.arms += [arm for arm in HALF if arm.removesuffix("_bf16") in options.arms]
    return options


def main() -> None:
    """Measure, print and write the tables, each when it is there."""
    options = parse()
    names = ("steps", "rounds", "batch", "threads")
    plain = {name: value for name, value in vars(options).items() if name in names}
    todo = [(task, features) for task in options.tasks for features in options.features]
    results: dict[str, Any] = {"machine": machine.describe(), "options": plain, "summaries": []}
    options.out.mkdir(parents=True, exist_ok=True)
    stem = options.out / f"throughput-{'cuda' if options.cuda else 'cpu'}"
    while todo:
        measured = measure(*todo.pop(0), options)
        results["machine"] = machine.describe(measured["device"])
        results["summaries"].append(summary(measured))
        results["missing"] = [", ".join(pair) for pair in todo]
        stem.with_suffix(".json").write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
        stem.with_suffix(".md").write_text(as_markdown(results), encoding="utf-8")
    print(as_markdown(results))


if __name__ == "__main__":
    main()
