"""What every alignment must keep, checked by firing the net."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from miner.conformance.alignments import Alignments, Traces, align, alignment_of
from miner.model.process_model import ProcessModel, model_of_net
from miner.model.workflow_net import Arc, Transition, WorkflowNet
from miner.r4pm_bridge import PlainNet, alignments


def net_read_by_pm4py(path: Path) -> ProcessModel:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pm4py

        net, initial, final = pm4py.read_pnml(str(path))
    found = WorkflowNet(
        tuple(place.name for place in net.places),
        tuple(Transition(t.name, t.label) for t in net.transitions),
        tuple(Arc(arc.source.name, arc.target.name, arc.weight) for arc in net.arcs),
        tuple((place.name, count) for place, count in initial.items()),
        tuple((place.name, count) for place, count in final.items()),
    )
    return model_of_net(path.stem, found)


def without_tree(model: ProcessModel) -> ProcessModel:
    return model_of_net(model.name, model.net)


def costs_of_r4pm(model: ProcessModel, traces: Sequence[Sequence[str]]) -> list[int | None]:
    net = model.net
    plain = PlainNet(
        net.places,
        {transition.id: transition.label for transition in net.transitions},
        [(arc.source, arc.target, arc.weight) for arc in net.arcs],
        dict(net.initial),
        dict(net.final),
    )
    found = alignments(plain, [tuple(trace) for trace in traces], over=lambda: False)
    costs = []
    for trace in traces:
        one = found.get(tuple(trace))
        costs.append(None if one is None else one.cost)
    return costs


def check(model: ProcessModel, traces: Sequence[Sequence[str]]) -> Alignments:
    """Align, and fire what was found: costs are moves, each event is used once, the net ends."""
    aligned = align(model, Traces.of(traces))
    assert aligned.exact.all()
    moves = Counter(aligned.moves["trace"].to_list())
    assert [moves[number] for number in range(len(traces))] == aligned.costs.tolist()
    matched: Counter[int] = Counter()
    for number, trace in enumerate(traces):
        mine = aligned.moves.filter(trace=number).drop("trace").rows()
        found = alignment_of(model, trace)
        assert [move.number for move in found if move.number is not None] == list(
            range(1, len(trace) + 1)
        )
        rows, at = [], 1
        for move in found:
            at = at if move.number is None else move.number + 1
            if move.kind == "log":
                rows.append((move.number, "log", None))
            elif move.kind == "model" and not move.silent:
                rows.append((at, "model", move.transition))
            elif move.kind == "sync":
                assert move.transition is not None and move.number is not None
                matched[move.transition] += 1
                assert trace[move.number - 1] == move.activity
                assert model.net.transitions[move.transition].label == move.activity
        assert rows == mine
        fires(model.net, [m.transition for m in found if m.transition is not None])
    assert aligned.matched.tolist() == [matched[n] for n in range(len(aligned.matched))]
    return aligned


def fires(net: WorkflowNet, transitions: Sequence[int]) -> None:
    """Fire the transitions one after the other, from the first marking to the last."""
    before, after = net.inputs(), net.outputs()
    marking = Counter(dict(net.initial))
    for number in transitions:
        name = net.transitions[number].id
        for arc in before[name]:
            marking[arc.source] -= arc.weight
            assert marking[arc.source] >= 0, (number, transitions)
        for arc in after[name]:
            marking[arc.target] += arc.weight
    assert +marking == Counter(dict(net.final))
