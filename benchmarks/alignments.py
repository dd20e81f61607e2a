"""Alignments of all variants of real logs, beside r4pm and pm4py, as one table.

    PYTHONHASHSEED=0 python -m benchmarks.alignments ../shared/logs/real

Models are those of the inductive miner on the variants, which depend on the hash seed. Times are
for costs and moves; compiling, which happens once on a machine, and mining are not counted. pm4py's
A* runs on 200 variants, taken evenly, for at most two minutes in all and twenty seconds each; its
time for all is extrapolated from those it was given. r4pm is stopped after two minutes; its time is
a lower bound then.
"""

from __future__ import annotations

import argparse
import resource
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from ingest.sources.xes import XesFile
from miner import pm4py_bridge
from miner.conformance.alignments import Traces, align
from miner.conformance.net_states import graph_of
from miner.discovery.discover import discover, paths_of
from miner.model.pnml import to_pnml
from miner.model.process_model import ProcessModel, model_of_net, model_of_tree
from miner.model.process_tree import tree_of
from miner.r4pm_bridge import PlainNet, alignments

LOGS = (
    ("BPIC 2012 completions", "bpic2012.xes.gz", 0.2),
    ("BPIC 2012 completions", "bpic2012.xes.gz", 0.0),
    ("Sepsis", "sepsis.xes.gz", 0.2),
    ("Sepsis", "sepsis.xes.gz", 0.0),
    ("BPIC 2013 incidents", "bpic2013_incidents.xes.gz", 0.2),
    ("BPIC 2019, one case per variant", "bpic2019_one_per_variant.xes.gz", 0.2),
)
A_STAR_VARIANTS, A_STAR_SECONDS, R4PM_SECONDS = 200, 120.0, 120.0
MILLION = 1_000_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("logs", type=Path, help="the folder of the logs")
    folder = parser.parse_args().logs
    print("| log | noise | variants | events | cost | Procession | r4pm | × | pm4py A* | × |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for name, file, noise in LOGS:
        log = variants(folder / file)
        print(row(name, noise, log, mined(log, noise)), flush=True)
    log = variants(folder / "bpic2012.xes.gz")
    million(log, mined(log, 0.2))


def variants(path: Path) -> pl.DataFrame:
    """Activities and cases of each variant, most cases first; completions where there are."""
    events = pl.concat(XesFile(path).read())
    lifecycle = pl.col("lifecycle").cast(pl.String).str.to_lowercase()
    if path.name.startswith("bpic2012"):
        events = events.filter(lifecycle == "complete")
    traces = events.group_by("case_id", maintain_order=True).agg(activities="activity")
    found = traces.group_by("activities", maintain_order=True).len("cases")
    return found.sort("cases", descending=True, maintain_order=True)


def mined(log: pl.DataFrame, noise: float) -> ProcessModel:
    counts = {tuple(activities): cases for activities, cases in log.iter_rows()}
    tree = pm4py_bridge.inductive_tree_of_variants(counts, noise=noise, seconds=600)
    return model_of_tree("mined", tree_of(tree))


def row(name: str, noise: float, log: pl.DataFrame, model: ProcessModel) -> str:
    align(model, Traces.of([["warm", "up"]]))
    traces = Traces.from_frame(log)
    aligned, ours = timed(lambda: align(model, traces))
    done, theirs = timed(lambda: by_r4pm(model, log))
    bound = "" if len(done) == log.height else "> "
    known = {key: one.cost for key, one in done.items() if one is not None}
    costs = dict(zip(map(tuple, log["activities"].to_list()), aligned.costs.tolist(), strict=True))
    wrong = [key for key, cost in known.items() if costs[key] != cost]
    if wrong:
        raise AssertionError(f"r4pm finds another cost for {len(wrong)} variants, as {wrong[0]}")
    star = by_a_star(model, log)
    return (
        f"| {name} | {noise:g} | {log.height:,} | {len(traces.codes):,} | {aligned.costs.sum():,} "
        f"| {ours:.3f} s ({aligned.method}) | {bound}{theirs:.1f} s | {bound}{theirs / ours:,.0f} "
        f"| {star:,.0f} s | {star / ours:,.0f} |"
    )


def timed(call: Callable[[], Any]) -> tuple[Any, float]:
    begun = time.perf_counter()
    found = call()
    return found, time.perf_counter() - begun


def by_r4pm(model: ProcessModel, log: pl.DataFrame) -> Any:
    net = model.net
    plain = PlainNet(
        net.places,
        {transition.id: transition.label for transition in net.transitions},
        [(arc.source, arc.target, arc.weight) for arc in net.arcs],
        dict(net.initial),
        dict(net.final),
    )
    end = time.monotonic() + R4PM_SECONDS
    traces = [tuple(each) for each in log["activities"].to_list()]
    return alignments(plain, traces, over=lambda: time.monotonic() > end)


def by_a_star(model: ProcessModel, log: pl.DataFrame) -> float:
    """Seconds that pm4py's A* would need for all variants, by those it could do."""
    import tempfile

    with warnings.catch_warnings(), tempfile.TemporaryDirectory() as folder:
        warnings.simplefilter("ignore")
        import pm4py
        from pm4py.algo.conformance.alignments.petri_net import algorithm
        from pm4py.objects.log.obj import Event, Trace

        path = Path(folder) / "model.pnml"
        path.write_text(to_pnml(model), encoding="utf-8")
        net = pm4py.read_pnml(str(path))
        taken = np.linspace(0, log.height - 1, min(A_STAR_VARIANTS, log.height)).astype(int)
        star = algorithm.Variants.VERSION_STATE_EQUATION_A_STAR.value
        limits = {star.Parameters.PARAM_MAX_ALIGN_TIME_TRACE: 20.0}
        begun, done = time.perf_counter(), 0
        # In mixed order, so that those it has time for stand for the others.
        for number in np.random.default_rng(0).permutation(taken):
            events = [Event({"concept:name": name}) for name in log["activities"][int(number)]]
            algorithm.apply(Trace(events), *net, parameters=limits)
            done += 1
            if time.perf_counter() - begun > A_STAR_SECONDS:
                break
        return (time.perf_counter() - begun) / done * log.height


def million(log: pl.DataFrame, model: ProcessModel) -> None:
    """Many variants: by the blocks of a large model, and by the markings of a small one."""
    traces = perturbed(Traces.from_frame(log), MILLION)
    paths = discover(paths_of(log), log, name="paths", quality_seconds=0.0).model
    for each in (model, model_of_net("markings", paths.net)):
        graph = graph_of(each.net)
        states = "?" if graph is None else f"{graph.states:,}"
        aligned, seconds = timed(lambda each=each: align(each, traces, seconds=3_600))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1_000_000
        print(
            f"\n{len(traces):,} distinct perturbed variants of BPIC 2012 ({len(traces.codes):,} "
            f"events), a model of {states} markings ({aligned.method}): {seconds:.1f} s, "
            f"peak memory {peak:.1f} GB.",
            flush=True,
        )


def perturbed(traces: Traces, number: int) -> Traces:
    """So many different traces: random ones of `traces` with three events replaced at random."""
    random = np.random.default_rng(0)
    long = np.flatnonzero(traces.lengths() > 6)
    chosen = random.choice(long, number + number // 4)
    lengths = traces.lengths()[chosen]
    begins = np.cumsum(lengths) - lengths
    events = np.repeat(traces.offsets[chosen] - begins, lengths) + np.arange(lengths.sum())
    codes = traces.codes[events]
    for _ in range(3):
        codes[begins + random.integers(0, lengths)] = random.integers(
            0, len(traces.labels), len(chosen), dtype=np.int32
        )
    frame = pl.DataFrame({"trace": np.repeat(np.arange(len(chosen)), lengths), "code": codes})
    lists = frame.group_by("trace", maintain_order=True).agg("code")["code"]
    lists = lists.unique(maintain_order=True).head(number)
    offsets = np.concatenate([[0], np.cumsum(lists.list.len().to_numpy(), dtype=np.int64)])
    return Traces(offsets.astype(np.int64), lists.explode().to_numpy(), traces.labels)


if __name__ == "__main__":
    main()
