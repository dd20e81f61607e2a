"""The only module that knows pm4py: it gives it reductions and takes plain data back."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import pairwise
from typing import Any, NamedTuple, TypeAlias

from miner.errors import InputError

Paths = Mapping[tuple[str | None, str | None], int]
"""Frequency of each pair of activities that follow each other; null is the start, or the end."""
Variants = Mapping[tuple[str, ...], int]
"""Number of cases of each distinct sequence of activities."""
PlainTree: TypeAlias = "str | tuple[str, tuple[PlainTree, ...]] | None"
"""An activity, null for a silent step, or an operator (`->`, `X`, `+`, `*`) over children."""
PlainStep = tuple[str | None, tuple[str, ...], tuple[str, ...]]
"""A transition: its activity or null, and the places before and after it."""

_QUICK_PATHS = 250
_QUICK_CUTS = 5_000
"""With more pairs of neighbours, a single cut may take longer than the time for all of them."""


class PlainNet(NamedTuple):
    """A net with one token in `source` at the start and in `sink` at the end."""

    steps: list[PlainStep]
    source: str
    sink: str


def inductive_tree_of_paths(paths: Paths, *, seconds: float = 60.0) -> PlainTree:
    """The process tree that the inductive miner finds in a directly-follows graph.

    Takes time by the number of activities, not of events. Does not leave out anything: filter the
    graph first. Raises InputError when it takes longer than `seconds`.

    Source: Leemans, Fahland, van der Aalst, Scalable process discovery and conformance checking,
    SoSyM 17 (2018), the algorithm IMD, as pm4py implements it.
    """
    with _quiet():
        from pm4py.algo.discovery.inductive.dtypes.im_dfg import InductiveDFG
        from pm4py.algo.discovery.inductive.dtypes.im_ds import IMDataStructureDFG
        from pm4py.algo.discovery.inductive.variants.imd import IMD
        from pm4py.objects.dfg.obj import DFG

        codes = _codes(name for pair in paths for name in pair)
        graph, starts, ends = _split({(codes[a], codes[b]): n for (a, b), n in paths.items()})
        parameters = _Deadline({"multiprocessing": False}, seconds)
        data = IMDataStructureDFG(InductiveDFG(DFG(graph, starts, ends), skip=False))
        return _plain_tree(IMD(parameters).apply(data, parameters), codes)


def inductive_tree_of_variants(
    variants: Variants, *, noise: float = 0.0, seconds: float = 60.0
) -> PlainTree:
    """The process tree that the inductive miner finds in variants with their numbers of cases.

    With `noise` 0 every variant fits the tree (IM); above, what is rarer than this share of the
    most frequent way on from the same activity is left out where no cut is found otherwise (IMf).
    Raises InputError when it takes longer than `seconds`.

    Source: Leemans, Fahland, van der Aalst, Discovering block-structured process models from event
    logs containing infrequent behaviour (2014), as pm4py implements it.
    """
    pairs = {pair for trace in variants for pair in pairwise(trace)}
    if len(pairs) <= _QUICK_CUTS:
        return _inductive_tree_of_variants(variants, noise, seconds)
    found: PlainTree = _elsewhere(_inductive_tree_of_variants, (variants, noise, seconds), seconds)
    return found


def _inductive_tree_of_variants(variants: Variants, noise: float, seconds: float) -> PlainTree:
    with _quiet():
        from pm4py.algo.discovery.inductive.dtypes.im_ds import IMDataStructureUVCL
        from pm4py.algo.discovery.inductive.variants.im import IMUVCL
        from pm4py.algo.discovery.inductive.variants.imf import IMFUVCL

        codes = _codes(name for trace in variants for name in trace)
        coded = Counter({tuple(codes[a] for a in trace): n for trace, n in variants.items()})
        parameters = _Deadline({"noise_threshold": noise, "multiprocessing": False}, seconds)
        miner = IMFUVCL(parameters) if noise > 0 else IMUVCL(parameters)
        return _plain_tree(miner.apply(IMDataStructureUVCL(coded), parameters), codes)


def heuristics_net(
    paths: Paths,
    occurrences: Mapping[str, int],
    at_distance_two: Mapping[tuple[str, str], int],
    triples: Mapping[tuple[str, str, str], int],
    *,
    noise: float = 0.05,
    dependency: float = 0.5,
    seconds: float = 60.0,
) -> PlainNet:
    """The net that the heuristics miner finds; it may not be sound.

    `occurrences` counts the events of each activity, `at_distance_two` pairs of events with one
    between them, `triples` three events in a row. Paths rarer than `noise` times the most frequent
    path of both of their activities are left out, and those whose dependency is below `dependency`.

    Raises InputError when it takes longer than `seconds`. The time grows with the groups of
    activities that look parallel, so with many paths another process does it, which can be ended.

    Source: Weijters, van der Aalst, Alves de Medeiros, Process mining with the HeuristicsMiner
    algorithm (2006), as pm4py implements it.
    """
    arguments = (paths, occurrences, at_distance_two, triples, noise, dependency)
    if len(paths) <= _QUICK_PATHS:
        return _heuristics_net(*arguments)
    found: PlainNet = _elsewhere(_heuristics_net, arguments, seconds)
    return found


def _heuristics_net(
    paths: Paths,
    occurrences: Mapping[str, int],
    at_distance_two: Mapping[tuple[str, str], int],
    triples: Mapping[tuple[str, str, str], int],
    noise: float,
    dependency: float,
) -> PlainNet:
    with _quiet():
        from pm4py.algo.discovery.heuristics.variants.classic import apply_heu_dfg
        from pm4py.objects.conversion.heuristics_net import converter

        codes = _codes(occurrences)
        graph, starts, ends = _split({(codes[a], codes[b]): n for (a, b), n in paths.items()})
        found = apply_heu_dfg(
            graph,
            activities=[code for code in codes.values() if code is not None],
            activities_occurrences={codes[name]: n for name, n in occurrences.items()},
            start_activities=starts,
            end_activities=ends,
            dfg_window_2={(codes[a], codes[b]): n for (a, b), n in at_distance_two.items()},
            freq_triples={tuple(codes[x] for x in key): n for key, n in triples.items()},
            parameters={
                # Cleaning fails on a graph without arcs, where there is nothing to clean.
                "dfg_pre_cleaning_noise_thresh": noise if graph else 0.0,
                "dependency_thresh": dependency,
            },
        )
        net, initial, final = converter.apply(found)
        return _plain_net(net, initial, final, codes)


def _elsewhere(call: Callable[..., Any], arguments: tuple[Any, ...], seconds: float) -> Any:
    """What `call` returns, computed in a process of its own that ends when its time is over."""
    code = (
        "import pickle, sys; out = sys.stdout.buffer; sys.stdout = sys.stderr; "
        "call, arguments = pickle.load(sys.stdin.buffer); pickle.dump(call(*arguments), out)"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    try:
        done = subprocess.run(
            [sys.executable, "-c", code],
            input=pickle.dumps((call, arguments)),
            capture_output=True,
            timeout=seconds,
            env=environment,
            check=True,
        )
    except subprocess.TimeoutExpired:
        raise _too_long(seconds) from None
    return pickle.loads(done.stdout)


def _too_long(seconds: float) -> InputError:
    return InputError(
        f"The miner did not find a model within {seconds:g} seconds.",
        hint="Filter to fewer activities or variants, raise the noise, lower the coverage, or "
        "give it more time.",
    )


@contextmanager
def _quiet() -> Iterator[None]:
    """pm4py warns of what its users should change in calls that are ours."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _codes(names: Iterable[str | None]) -> dict[str | None, str | None]:
    """Plain codes for names, in the same order, so that no name can be mistaken for syntax.

    Order matters: pm4py tries activities, and breaks ties, in the order of their names.
    """
    known = sorted({name for name in names if name is not None})
    digits = len(str(len(known)))
    codes: dict[str | None, str | None] = {None: None}
    codes.update((name, f"a{number:0{digits}}") for number, name in enumerate(known))
    return codes


def _split(paths: Paths) -> tuple[Counter[Any], Counter[Any], Counter[Any]]:
    """Arcs between activities, start activities and end activities."""
    graph: Counter[Any] = Counter()
    starts: Counter[Any] = Counter()
    ends: Counter[Any] = Counter()
    for (first, second), frequency in sorted(paths.items(), key=str):
        if first is not None and second is not None:
            graph[first, second] = frequency
        elif second is not None:
            starts[second] = frequency
        elif first is not None:
            ends[first] = frequency
    return graph, starts, ends


class _Deadline(dict[str, Any]):
    """Parameters that stop the miner when its time is over.

    pm4py goes through its parameters before every cut it tries, which makes this the one place
    where a search can be ended without ending a process.
    """

    def __init__(self, values: Mapping[str, Any], seconds: float) -> None:
        super().__init__(values)
        self._seconds = seconds
        self._end = time.monotonic() + seconds

    def __iter__(self) -> Iterator[str]:
        if time.monotonic() > self._end:
            raise _too_long(self._seconds)
        return super().__iter__()


def _plain_tree(found: Any, codes: Mapping[str | None, str | None]) -> PlainTree:
    """pm4py's tree, tidied by pm4py (order of children included), as plain data."""
    from pm4py.objects.process_tree.utils import generic

    folded = generic.fold(found)
    if folded is None:
        return None
    names = {code: name for name, code in codes.items()}
    _rename(folded, names)
    generic.tree_sort(folded)
    return _copied(folded)


def _rename(node: Any, names: Mapping[str | None, str | None]) -> None:
    node.label = names[node.label]
    for child in node.children:
        _rename(child, names)


def _copied(node: Any) -> PlainTree:
    if node.operator is None:
        label: str | None = node.label
        return label
    return node.operator.value, tuple(map(_copied, node.children))


def _plain_net(
    net: Any, initial: Any, final: Any, codes: Mapping[str | None, str | None]
) -> PlainNet:
    names = {code: name for name, code in codes.items()}
    steps = [
        (
            names[transition.label],
            tuple(sorted(arc.source.name for arc in transition.in_arcs)),
            tuple(sorted(arc.target.name for arc in transition.out_arcs)),
        )
        for transition in net.transitions
    ]
    steps.sort(key=str)
    (source,), (sink,) = initial, final
    return PlainNet(steps, source.name, sink.name)
