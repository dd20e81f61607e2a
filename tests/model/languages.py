"""Languages of models by definition, slowly: what the fast ways are checked against."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from miner.discovery.automaton import Automaton
from miner.model.process_model import ProcessModel
from miner.model.process_tree import TAU, Operator, ProcessTree, activity, tree

Trace = tuple[str, ...]
Language = frozenset[Trace]

SILENCE: Language = frozenset({()})


def trees(
    names: str = "abcd", operators: tuple[Operator, ...] = tuple(Operator), leaves: int = 6
) -> st.SearchStrategy[ProcessTree]:
    """Random process trees."""

    def grown(children: st.SearchStrategy[ProcessTree]) -> st.SearchStrategy[ProcessTree]:
        several = st.lists(children, min_size=1, max_size=3)
        block = st.builds(
            lambda operator, parts: tree(operator, *parts),
            st.sampled_from([o for o in operators if o is not Operator.LOOP]),
            several,
        )
        loop = st.builds(
            lambda first, rest: tree(Operator.LOOP, first, *rest),
            children,
            st.lists(children, min_size=1, max_size=2),
        )
        return st.one_of(block, loop) if Operator.LOOP in operators else block

    leaf = st.one_of(st.just(TAU), st.sampled_from(names).map(activity))
    return st.recursive(leaf, grown, max_leaves=leaves)


def by_definition(node: ProcessTree, longest: int) -> Language:
    """The traces of a tree that have at most `longest` activities."""
    if node.operator is None:
        return SILENCE if node.label is None else frozenset({(node.label,)})
    parts = [by_definition(child, longest) for child in node.children]
    match node.operator:
        case Operator.SEQUENCE:
            return _folded(parts, lambda a, b: {a + b}, longest)
        case Operator.PARALLEL:
            return _folded(parts, _interleaved, longest)
        case Operator.EXCLUSIVE:
            return frozenset().union(*parts)
        case Operator.INCLUSIVE:
            found: set[Trace] = set()
            for chosen in product([False, True], repeat=len(parts)):
                if any(chosen):
                    some = [part for part, yes in zip(parts, chosen, strict=True) if yes]
                    found |= _folded(some, _interleaved, longest)
            return frozenset(found)
        case Operator.LOOP:
            once, again = parts[0], frozenset().union(*parts[1:])
            known: Language = once
            while True:
                more = _folded([known, again, once], lambda a, b: {a + b}, longest) | known
                if more == known:
                    return known
                known = more


def _folded(parts: list[Language], join: Callable[[Trace, Trace], Any], longest: int) -> Language:
    known = SILENCE
    for part in parts:
        joined = (trace for a in known for b in part for trace in join(a, b))
        known = frozenset(trace for trace in joined if len(trace) <= longest)
    return known


@cache
def _interleaved(a: Trace, b: Trace) -> Language:
    if not a or not b:
        return frozenset({a + b})
    first = {(a[0], *rest) for rest in _interleaved(a[1:], b)}
    return frozenset(first | {(b[0], *rest) for rest in _interleaved(a, b[1:])})


def of_automaton(model: ProcessModel, longest: int) -> Language:
    """The traces of at most `longest` activities that the automaton of `model` accepts."""
    automaton = Automaton(model)
    found: set[Trace] = set()
    waiting: list[tuple[Trace, int]] = [((), 0)]
    for trace, state in waiting:
        if automaton.accepts(state):
            found.add(trace)
        if len(trace) < longest:
            waiting += [((*trace, name), to) for name, to in automaton.moves(state).items()]
    assert not automaton.exhausted
    return frozenset(found)


def of_pm4py(net: Any, initial: Any, final: Any, longest: int) -> Language:
    """The traces of at most `longest` activities of a net of pm4py, by firing its transitions."""
    from pm4py.objects.petri_net import semantics

    found: set[Trace] = set()
    seen = {((), frozenset(initial.items()))}
    waiting = [((), initial)]
    for trace, marking in waiting:
        if marking == final:
            found.add(trace)
        for transition in semantics.enabled_transitions(net, marking):
            label = () if transition.label is None else (transition.label,)
            after = (*trace, *label), semantics.execute(transition, net, marking)
            key = after[0], frozenset(after[1].items())
            if len(after[0]) <= longest and key not in seen:
                seen.add(key)
                waiting.append(after)
    return frozenset(found)


def read_bpmn(text: str, folder: Path) -> tuple[Any, Any, Any]:
    """The net that pm4py reads a BPMN document as."""
    import pm4py

    path = folder / "model.bpmn"
    path.write_text(text, encoding="utf-8")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        net, initial, final = pm4py.convert_to_petri_net(pm4py.read_bpmn(str(path)))
    return net, initial, final


def read_pnml(text: str, folder: Path) -> tuple[Any, Any, Any]:
    """The net that pm4py reads a PNML document as."""
    import pm4py

    path = folder / "model.pnml"
    path.write_text(text, encoding="utf-8")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        net, initial, final = pm4py.read_pnml(str(path))
    return net, initial, final
