"""MAP beside bytes: each form of an index of DC-BERT, on the test questions of WikiQA.

Networks are those of `dc_bert_ranking.py` (its arms k1, `one way` and width at the chosen rate; run that
first with ``--only k1 "one way" width``; the last two have one seed). Of each the different replies of the
test part are indexed in each form, and each question's candidates are ranked out of the index. Differences
are to fp16 states of k1.
"""

import argparse
import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import dc_bert_cells as cells
import dc_bert_data as data
import dc_bert_figures as figures
import machine
import tested_cells

SET = "wikiqa"


class Form(NamedTuple):
    """A network's arm, and a form of the index."""

    arm: str
    hold: str
    dtype: str
    pool: int = 1

    @property
    def title(self) -> str:
        """For the table."""
        network = {"k1": "K = 1", "one way": "K = 1, one way", "width": "K = 1, width 128"}[
            self.arm
        ]
        held = "keys and values" if self.hold == "keys" else self.hold
        return f"{network}: {held}, {self.dtype}{f', pool {self.pool}' if self.pool > 1 else ''}"


BASE = Form("k1", "states", "fp16")
FORMS = (
    BASE,
    Form("k1", "states", "int8"),
    Form("k1", "states", "int8", 2),
    Form("k1", "keys", "fp16"),
    Form("k1", "keys", "int8"),
    Form("k1", "keys", "int8", 2),
    Form("k1", "keys", "int8", 3),
    Form("one way", "states", "fp16"),
    Form("one way", "keys", "int8"),
    Form("one way", "states", "int8", 2),
    Form("width", "states", "fp16"),
    Form("width", "states", "int8"),
    Form("width", "states", "int8", 2),
    Form("width", "states", "int8", 3),
)


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = tested_cells.parser_for(__doc__, "dc_bert_ranking", (SET,))
    parser.add_argument("--seeds", type=int, nargs="+", default=[1])
    parser.set_defaults(only=[])
    return tested_cells.parsed(parser, arguments)


def network_of(options: argparse.Namespace, arm: str, seed: int) -> Path | None:
    """The folder of an arm's finished network of a seed."""
    found = cells.Cells(options, SET)
    rate, teacher = found.rate("k1"), found.teacher(seed)
    if rate is None or teacher is None:
        return None
    cell = found.make(arm, seed, rate, teacher)
    return cell.folder / "student" if cells.is_done(cell) else None


def measure(network: Path, form: Form, file: Path, folder: Path) -> dict[str, Any]:
    """Figures of every question, and bytes of a reply without its text."""
    from contextlib import nullcontext

    from chatstill.deploy import change
    from chatstill.deploy.index import Index
    from chatstill.deploy.network import open_network
    from chatstill.deploy.relevance import relevance_of
    from chatstill.deploy.reply_file import Reply, ReplyFile
    from chatstill.deploy.scorer import Scorer

    rows = [line.split("\t") for line in file.read_text(encoding="utf-8").splitlines()]
    served = open_network(network)
    replies = [Reply(None, text) for text in dict.fromkeys(row[1].strip() for row in rows)]
    desk = change.Desk(print, lambda _: None, lambda _: nullcontext(lambda _: None))
    of_index = change.Form(form.hold, form.dtype, form.pool)  # type: ignore[arg-type]
    change.build(served, ReplyFile(replies, False, []), folder, of_index, desk, fresh=True)
    index = Index(folder)
    row_of = {text: row for row, text in enumerate(index.texts())}
    scorer = Scorer(served, index, relevance_of(served.model, None))
    scores = np.empty(len(rows), np.float32)
    groups = [row[3] for row in rows]
    for group in dict.fromkeys(groups):
        places = [n for n, one in enumerate(groups) if one == group]
        wanted = np.array([row_of[rows[n][1].strip()] for n in places])
        asked = served.encode_query(rows[places[0]][0])
        found, margins = scorer.margins(asked, np.unique(wanted))
        scores[places] = margins[np.searchsorted(found, wanted)]
    size = sum(
        tensor.nbytes
        for shard in index.shards
        for name, tensor in shard.tensors.items()
        if name.split(".")[0] in ("states", "keys", "values", "cls", "pooled")
    )
    labels = np.array([row[2] for row in rows], np.int64)
    return {**figures.of_questions(scores, labels, groups), "bytes": size / len(index)}


def run(options: argparse.Namespace) -> dict[str, dict[str, Any]]:
    """Figures by form and seed; those that are there are read."""
    file = options.work / "data" / SET / "test.data.txt"
    found: dict[str, dict[str, Any]] = {}
    for form in FORMS:
        for seed in options.seeds:
            name = f"{form.arm}-{form.hold}-{form.dtype}-{form.pool}-seed{seed}".replace(" ", "-")
            kept = options.work / "index_forms" / f"{name}.json"
            network = network_of(options, form.arm, seed)
            if not kept.is_file() and network is not None and not options.report_only:
                kept.parent.mkdir(parents=True, exist_ok=True)
                one = measure(network, form, file, kept.with_suffix(""))
                kept.write_text(json.dumps(one) + "\n", encoding="utf-8")
            if kept.is_file():
                found.setdefault(form.title, {})[str(seed)] = json.loads(kept.read_text("utf-8"))
    return found


def as_markdown(found: dict[str, dict[str, Any]], seeds: list[int]) -> str:
    """The table; PARTIAL where networks are missing."""
    whole = all(len(found.get(form.title, {})) == len(seeds) for form in FORMS)
    lines = ["# DC-BERT: MAP beside the bytes of an index", ""]
    if not whole:
        lines += ["**PARTIAL: networks or seeds are missing.**", ""]
    lines += [
        f"{data.SETS[SET].title}, test questions with a relevant candidate, MiniLM (6 × 384). Bytes: "
        "numbers of a reply, without its text and its [CLS] vector for the first stage. Differences: MAP "
        "times 100, 95 % interval of a bootstrap paired by question, over the mean of the seeds.",
        "",
        "| form | seeds | bytes a reply | smaller | MAP | beside fp16 states |",
        "|---|---|---|---|---|---|",
    ]
    base = found.get(BASE.title, {})
    for form in FORMS:
        of_form = found.get(form.title, {})
        shared = [seed for seed in of_form if seed in base]
        if not shared:
            continue
        ours, theirs = (
            np.mean([np.array(one[seed]["map"]) for seed in shared], axis=0)
            for one in (of_form, base)
        )
        size, whole_size = of_form[shared[0]]["bytes"], base[shared[0]]["bytes"]
        difference, (low, high) = figures.paired(ours, theirs)
        share = 100 * ours.mean() / theirs.mean()
        over = f"{100 * difference:+.1f} [{100 * low:+.1f}, {100 * high:+.1f}], {share:.1f} %"
        lines.append(
            f"| {form.title} | {len(shared)} | {size:,.0f} | {whole_size / size:.1f}× | "
            f"{100 * ours.mean():.1f} | {'–' if form == BASE else over} |"
        )
    return "\n".join([*lines, "", f"{machine.as_line(machine.describe())}.", ""])


def main(arguments: list[str] | None = None) -> int:
    """Measures what is missing and writes the table; 0 if it is whole."""
    options = parse(arguments)
    found = run(options)
    text = as_markdown(found, options.seeds)
    results = {"forms": found, "machine": machine.describe()}
    print(tested_cells.write_results(options.out, "dc_bert_index_forms", results, text))
    return 0 if "PARTIAL" not in text else 1


if __name__ == "__main__":
    raise SystemExit(main())
