"""The only module that knows r4pm: optimal alignments of variants with a net."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple
from uuid import UUID

import polars as pl

_UNIT_COSTS = {
    "log_move_cost": 1,
    "model_move_cost": 1,
    "silent_move_cost": 0,
    "sync_move_cost": 0,
}
_FEW_STATES, _FIRST_BATCH, _LARGEST_BATCH = 10_000, 8, 256
_MANY_STATES, _HARD_BATCH = 300_000, 4
"""A search that met a few states in vain is begun again with many, and then left alone."""

Trace = tuple[str, ...]


class PlainNet(NamedTuple):
    """A Petri net: activity or null of each transition, arcs with weights, tokens by place."""

    places: Sequence[str]
    transitions: Mapping[str, str | None]
    arcs: Sequence[tuple[str, str, int]]
    initial: Mapping[str, int]
    final: Mapping[str, int]


@dataclass(frozen=True)
class Alignment:
    """An optimal alignment of a trace.

    `moves` are pairs: the index of the event, null where the model moves alone, and the index of
    the transition, null where the log moves alone. Silent transitions are among them.
    """

    cost: int
    moves: tuple[tuple[int | None, int | None], ...]


def alignments(
    net: PlainNet, traces: Sequence[Trace], *, over: Callable[[], bool]
) -> dict[Trace, Alignment | None]:
    """An optimal alignment with `net` for each of the first of `traces`.

    A cost of 1 for each event that the model does not allow there and for each activity that the
    model asks for and the trace lacks. Null where the search met more than 300,000 states. The
    traces not reached when `over` says so are not in the result; empty traces never are.

    Source: Adriansyah, Aligning Observed and Modeled Behavior (2014), as r4pm implements it.
    """
    return _Search(net, traces).run(over)


class _Search:
    """Alignments in batches small enough to end soon after the time: none can be interrupted."""

    def __init__(self, net: PlainNet, traces: Sequence[Trace]) -> None:
        self._traces = [trace for trace in dict.fromkeys(traces) if trace]
        self._codes = _codes(net, traces)
        self._names = {code: name for name, code in self._codes.items()}
        self._places = len(net.places)
        self._net = _r4pm_net(net, self._codes)

    def run(self, over: Callable[[], bool]) -> dict[Trace, Alignment | None]:
        found: dict[Trace, Alignment | None] = {}
        size, begin = _FIRST_BATCH, 0
        while begin < len(self._traces) and not over():
            batch = self._traces[begin : begin + size]
            found.update(self._batch(batch, _FEW_STATES))
            hard = [trace for trace in batch if trace not in found]
            for first in range(0, len(hard), _HARD_BATCH):
                if over():
                    return found
                few = hard[first : first + _HARD_BATCH]
                aligned = self._batch(few, _MANY_STATES)
                found.update((trace, aligned.get(trace)) for trace in few)
            begin += len(batch)
            size = min(2 * size, _LARGEST_BATCH)
        return found

    def _batch(self, traces: Sequence[Trace], most_states: int) -> dict[Trace, Alignment]:
        from r4pm.bindings.conformance.case_centric.alignments import align_variants

        options: Any = {"cost_fn": _UNIT_COSTS, "max_states": most_states}
        with _Projection(traces, self._codes) as projection:
            variants = align_variants(self._net, projection, options)
        found = {}
        for variant in variants:
            if "Ok" in variant["result"]:
                trace = tuple(self._names[code] for code in variant["activities"])
                found[trace] = _alignment(variant["result"]["Ok"], self._places)
        return found


def _alignment(found: Mapping[str, Any], places: int) -> Alignment:
    moves = []
    for each in found["moves"]:
        (move,) = each.values()
        fired = move.get("transition")
        transition = None if fired is None else UUID(fired).int - places
        moves.append((move.get("trace_event_index"), transition))
    return Alignment(found["cost"], tuple(moves))


def empty_alignment(net: PlainNet, *, most_states: int = 300_000) -> Alignment | None:
    """The alignment of the empty trace: a run of `net` with the fewest activities.

    Null when the net cannot get from its initial to its final marking, or when finding out takes
    more than `most_states` states.
    """
    from r4pm.bindings.conformance.case_centric.alignments import align_empty_trace

    model = _r4pm_net(net, _codes(net, ()))
    options: Any = {"cost_fn": _UNIT_COSTS, "max_states": most_states}
    try:
        return _alignment(align_empty_trace(model, options), len(net.places))
    except TypeError as error:  # r4pm reports a failed search this way
        if "SearchError" in str(error):
            return None
        raise


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


def _codes(net: PlainNet, traces: Sequence[Trace]) -> dict[str, str]:
    names = {label: None for label in net.transitions.values() if label is not None}
    for trace in traces:
        names.update(dict.fromkeys(trace))
    return {name: f"a{number}" for number, name in enumerate(names)}


def _r4pm_net(net: PlainNet, codes: Mapping[str, str]) -> Any:
    """r4pm wants UUIDs for places and transitions."""
    nodes = (*net.places, *net.transitions)
    ids = {node: str(UUID(int=number)) for number, node in enumerate(nodes)}
    places = set(net.places)

    def tokens(marking: Mapping[str, int]) -> dict[str, int]:
        return {ids[place]: count for place, count in marking.items()}

    return {
        "places": {ids[place]: {"id": ids[place]} for place in net.places},
        "transitions": {
            ids[node]: {"id": ids[node], "label": None if label is None else codes[label]}
            for node, label in net.transitions.items()
        },
        "arcs": [
            {
                "from_to": {
                    "type": "PlaceTransition" if source in places else "TransitionPlace",
                    "nodes": [ids[source], ids[target]],
                },
                "weight": weight,
            }
            for source, target, weight in net.arcs
        ],
        "initial_marking": tokens(net.initial),
        "final_markings": [tokens(net.final)],
    }
