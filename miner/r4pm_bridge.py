"""The only module that knows r4pm: optimal alignments of variants with a net."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import polars as pl

from miner.model.workflow_net import Marking, WorkflowNet

_UNIT_COSTS = {
    "log_move_cost": 1,
    "model_move_cost": 1,
    "silent_move_cost": 0,
    "sync_move_cost": 0,
}
_FIRST_BATCH = 16

Trace = tuple[str, ...]


def alignment_costs(
    net: WorkflowNet,
    traces: Sequence[Trace],
    *,
    seconds: float,
    most_states: int = 300_000,
) -> dict[Trace, int]:
    """The cost of an optimal alignment with `net` for the traces that could be aligned.

    A cost of 1 for each event that the model does not allow there and for each activity that the
    model asks for and the trace lacks. Works through `traces` in order until `seconds` are over
    (a batch that was begun is finished) and skips a trace whose search meets more than
    `most_states` states; neither is in the result. Empty traces are never in the result.

    Source: Adriansyah, Aligning Observed and Modeled Behavior (2014), as r4pm implements it.
    """
    from r4pm.bindings.conformance.case_centric.alignments import align_variants

    codes = _codes(net, traces)
    model = _r4pm_net(net, codes)
    names = {code: name for name, code in codes.items()}
    options = {"cost_fn": _UNIT_COSTS, "max_states": most_states}
    waiting = [trace for trace in dict.fromkeys(traces) if trace]
    costs: dict[Trace, int] = {}
    end = time.monotonic() + seconds
    size, begin = _FIRST_BATCH, 0
    while begin < len(waiting) and time.monotonic() < end:
        batch = waiting[begin : begin + size]
        started = time.monotonic()
        with _Projection(batch, codes) as projection:
            found = align_variants(model, projection, options)
        for variant in found:
            if "Ok" in variant["result"]:
                trace = tuple(names[code] for code in variant["activities"])
                costs[trace] = variant["result"]["Ok"]["cost"]
        begin += size
        now = time.monotonic()
        affordable = int(len(batch) * (end - now) / max(now - started, 1e-6))
        size = max(_FIRST_BATCH, min(8 * size, affordable))
    return costs


def shortest_trace(net: WorkflowNet, *, most_states: int = 300_000) -> int | None:
    """The number of activities of the shortest trace that `net` allows.

    Null when the net cannot get from its initial to its final marking, or when finding out takes
    more than `most_states` states.
    """
    from r4pm.bindings.conformance.case_centric.alignments import align_empty_trace

    model = _r4pm_net(net, _codes(net, ()))
    try:
        found = align_empty_trace(model, {"cost_fn": _UNIT_COSTS, "max_states": most_states})
    except TypeError as error:  # r4pm reports a failed search this way
        if "SearchError" in str(error):
            return None
        raise
    cost: int = found["cost"]
    return cost


class _Projection:
    """Traces in r4pm's own store, taken out of it again at the end."""

    def __init__(self, traces: Sequence[Trace], codes: Mapping[str, str]) -> None:
        frame = pl.DataFrame(
            {
                "case:concept:name": [str(number) for number in range(len(traces))],
                "concept:name": [[codes[name] for name in trace] for trace in traces],
            }
        )
        self._frame = frame.explode("concept:name")
        self._items: list[str] = []

    def __enter__(self) -> str:
        import r4pm
        from r4pm.bindings.core.event_data.case_centric.utils import activity_projection

        self._items.append(r4pm.import_item_from_df("EventLog", self._frame))
        self._items.append(activity_projection.log_to_activity_projection(self._items[0]))
        return self._items[1]

    def __exit__(self, *_: object) -> None:
        import r4pm

        for item in self._items:
            r4pm.remove_item(item)


def _codes(net: WorkflowNet, traces: Sequence[Trace]) -> dict[str, str]:
    names = dict.fromkeys(net.labels())
    for trace in traces:
        names.update(dict.fromkeys(trace))
    return {name: f"a{number}" for number, name in enumerate(names)}


def _r4pm_net(net: WorkflowNet, codes: Mapping[str, str]) -> dict[str, Any]:
    """r4pm wants UUIDs for places and transitions."""
    nodes = (*net.places, *(transition.id for transition in net.transitions))
    ids = {node: str(UUID(int=number)) for number, node in enumerate(nodes)}
    places = set(net.places)

    def tokens(marking: Marking) -> dict[str, int]:
        return {ids[place]: count for place, count in marking}

    return {
        "places": {ids[place]: {"id": ids[place]} for place in net.places},
        "transitions": {
            ids[t.id]: {"id": ids[t.id], "label": None if t.label is None else codes[t.label]}
            for t in net.transitions
        },
        "arcs": [
            {
                "from_to": {
                    "type": "PlaceTransition" if arc.source in places else "TransitionPlace",
                    "nodes": [ids[arc.source], ids[arc.target]],
                },
                "weight": arc.weight,
            }
            for arc in net.arcs
        ],
        "initial_marking": tokens(net.initial),
        "final_markings": [tokens(net.final)],
    }
