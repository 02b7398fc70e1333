"""Training speed: rows padded to 128, the Trainer as it comes, and chatstill's engine.

Fine-tunes the 6-layer MiniLM on real SST-2 rows (on a GPU: a network of bert-base's size with
random weights, bf16) with the same batch size, optimizer and rows. The arms take turns in
one run, each in a process of its own; medians over the turns. Beside each stands the share of the
machine's matrix-product peak, measured in the same turns. Tokenising is not counted for any.
"""

import argparse
import json
import multiprocessing
import os
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

import machine
from speed_arms import ARMS, MAX_LENGTH, UNCOUNTED, Setting, worker

NAMES = {
    "padded": f"rows padded to {MAX_LENGTH}",
    "trainer": "Trainer as it comes",
    "engine": "chatstill",
}
AIMS = {"padded": 8.0, "trainer": 2.3}
RESULTS = Path(__file__).parent / "results"


class Worker:
    """One arm's process. It waits between its turns.

    Args:
        setting: What it is told; ``threads`` among it.
        work: What runs in it.
    """

    def __init__(self, setting: Any, work: Callable[..., None] = worker) -> None:
        self.setting = setting
        os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = str(setting.threads)
        context = multiprocessing.get_context("spawn")
        self.connection, other = context.Pipe()
        self.process = context.Process(target=work, args=(other, setting), daemon=True)
        self.process.start()
        other.close()
        self.error = ""
        self.hello = self._receive()

    def _receive(self) -> dict[str, Any]:
        try:
            message = self.connection.recv()
        except EOFError:
            message = {"error": "the process ended"}
        self.error = message.get("error", self.error)
        return message

    def turn(self, steps: int, seed: int) -> dict[str, Any]:
        """One round of training; an empty answer once the worker has failed."""
        if self.error:
            return {}
        self.connection.send((steps, seed))
        return self._receive()

    def close(self) -> None:
        """Ends the process."""
        if not self.error:
            self.connection.send(None)
        self.process.join()


def forward_flops(sizes: dict[str, int], batch: int, length: int) -> int:
    """Matrix-product operations of a forward pass of a BERT classifier: (batch, length) tokens."""
    d, layers = sizes["hidden_size"], sizes["num_hidden_layers"]
    per_token = layers * (8 * d * d + 4 * d * sizes["intermediate_size"] + 4 * length * d)
    return batch * (length * per_token + 2 * d * d + 2 * d * sizes["num_labels"])


def measure(threads: int, options: argparse.Namespace) -> dict[str, Any]:
    """All arms with one number of threads: figures of every turn, and what the workers said."""
    how = (threads, options.data, options.steps, options.batch, options.cuda, options.compile)
    workers = {arm: Worker(Setting(arm, *how)) for arm in (*options.arms, "peak")}
    turns: dict[str, list[dict[str, Any]]] = {arm: [] for arm in workers}
    for number in range(-1, options.rounds):  # the first turn of each is not counted
        for arm, each in workers.items():
            steps = max(UNCOUNTED + 2, options.steps // 8 if arm == "padded" else options.steps)
            if number < 0 and not options.compile:  # which builds every shape of a turn once
                steps = UNCOUNTED + 2
            answer = each.turn(steps, seed=number + 1)
            if answer and "error" not in answer and number >= 0:
                turns[arm].append(answer)
            show(threads, number, arm, answer)
    for each in workers.values():
        each.close()
    hello = workers["peak"].hello
    errors = {arm: each.error for arm, each in workers.items() if each.error}
    return {"threads": threads, "turns": turns, "hello": hello, "errors": errors}


def show(threads: int, number: int, arm: str, answer: dict[str, Any]) -> None:
    """A line of progress."""
    if "shapes" in answer:
        speed = sum(batch for batch, _ in answer["shapes"]) / answer["seconds"]
        text = f"{speed:.1f} examples/s"
    elif "flops_per_second" in answer:
        text = f"{answer['flops_per_second'] / 1e9:.0f} GFLOP/s"
    else:
        text = answer.get("error", "not run")
    turn = "warm-up" if number < 0 else f"turn {number + 1}"
    print(f"{threads} thread(s), {turn}: {arm}: {text}", flush=True)


def summary(measured: dict[str, Any]) -> dict[str, Any]:
    """Medians over the turns of each arm, and the factors between them."""
    turns, sizes = measured["turns"], measured["hello"].get("sizes", {})
    peaks = [turn["flops_per_second"] for turn in turns["peak"]]
    peak = statistics.median(peaks) if peaks else float("nan")
    arms = {}
    for arm in (name for name in ARMS if turns.get(name)):
        rates, shares, padded = [], [], []
        for turn in turns[arm]:
            rows = sum(batch for batch, _ in turn["shapes"])
            flops = sum(3 * forward_flops(sizes, *shape) for shape in turn["shapes"])
            rates.append(rows / turn["seconds"])
            shares.append(flops / turn["seconds"] / peak)
            padded.append(sum(batch * length for batch, length in turn["shapes"]) / rows)
        arms[arm] = {
            "examples_per_second": statistics.median(rates),
            "lowest": min(rates),
            "highest": max(rates),
            "tokens_per_example": statistics.median(padded),
            "share_of_peak": statistics.median(shares),
            "peak_bytes": max(turn["peak_bytes"] for turn in turns[arm]),
        }
    factors = {}
    if "engine" in arms:
        ours = arms["engine"]["examples_per_second"]
        for other in AIMS.keys() & arms.keys():
            factors[other] = ours / arms[other]["examples_per_second"]
    return {
        "threads": measured["threads"],
        "peak_gflops": peak / 1e9,
        "arms": arms,
        "factors": factors,
        "errors": measured["errors"],
    }


def as_markdown(results: dict[str, Any]) -> str:
    """The table, with what it was measured on."""
    options = results["options"]
    lines = ["# Training speed", "", " ".join((__doc__ or "").split("\n\n", 1)[1].split()), ""]
    for part in results["summaries"]:
        lines += [
            f"## {part['threads']} thread(s)",
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
        lines.append("")
        for other in (name for name in AIMS if name in part["factors"]):
            lines.append(
                f"- chatstill: {part['factors'][other]:.2f} times *{NAMES[other]}* "
                f"(aim {AIMS[other]:g})"
            )
        lines += [f"- not measured: {NAMES.get(a, a)}: {e}" for a, e in part["errors"].items()]
        lines.append("")
    lines += [
        f"Batch {options['batch']}, {options['steps']} steps a turn (an eighth of them where rows "
        f"are padded to 128, as all of those cost the same), {options['rounds']} turns. "
        f"{machine.as_line(results['machine'])}.",
        "",
    ]
    return "\n".join(lines)


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--data", type=Path, default=Path("../shared/data/glue"), help="GLUE folder"
    )
    parser.add_argument("--steps", type=int, default=128, help="optimizer steps of a turn")
    parser.add_argument("--rounds", type=int, default=3, help="turns of each arm")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=list(ARMS))
    parser.add_argument("--compile", action="store_true", help="torch.compile, for all three")
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    if options.steps < 8 or options.rounds < 1:
        parser.error("--steps must be at least 8 and --rounds at least 1")
    options.cuda = has_cuda()
    return options


def has_cuda() -> bool:
    """Asked in a process of its own, so that this one stays without torch."""
    import subprocess
    import sys

    code = "import torch, sys; sys.exit(not torch.cuda.is_available())"
    return subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def main() -> None:
    """Measure, print and write the table."""
    options = parse()
    summaries = []
    device = None
    for threads in options.threads:
        measured = measure(threads, options)
        device = measured["hello"].get("device")
        if not any(measured["turns"][arm] for arm in options.arms):
            raise SystemExit(
                "\n".join(f"{arm}: {error}" for arm, error in measured["errors"].items())
            )
        summaries.append(summary(measured))
    plain = {
        name: value for name, value in vars(options).items() if name in ("steps", "rounds", "batch")
    }
    results = {"machine": machine.describe(device), "options": plain, "summaries": summaries}
    options.out.mkdir(parents=True, exist_ok=True)
    stem = options.out / f"train_speed-{'cuda' if options.cuda else 'cpu'}"
    stem.with_suffix(".json").write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    text = as_markdown(results)
    stem.with_suffix(".md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
