"""From process trees to workflow nets."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

from miner.model.process_tree import Operator, ProcessTree
from miner.model.workflow_net import Step, WorkflowNet, net_of


def net_of_tree(tree: ProcessTree) -> WorkflowNet:
    """The sound workflow net with the language of `tree`; the same tree gives the same net.

    Blocks become places and transitions as in van der Aalst, Process Mining, 2nd ed. (2016),
    figure 7.20, without the silent transitions that are not needed.
    """
    places = (f"place {number}" for number in count())
    return net_of(list(_block(tree, "source", "sink", places)), "source", "sink")


def _block(tree: ProcessTree, before: str, after: str, places: Iterator[str]) -> Iterator[Step]:
    """The steps of `tree` between two places; no block puts a token back into `before`."""
    match tree.operator:
        case None:
            yield Step(tree.label, (before,), (after,))
        case Operator.SEQUENCE:
            inner = [next(places) for _ in tree.children[1:]]
            ends = zip([before, *inner], [*inner, after], strict=True)
            for child, (start, end) in zip(tree.children, ends, strict=True):
                yield from _block(child, start, end, places)
        case Operator.EXCLUSIVE:
            for child in tree.children:
                yield from _block(child, before, after, places)
        case Operator.PARALLEL:
            starts = tuple(next(places) for _ in tree.children)
            ends_ = tuple(next(places) for _ in tree.children)
            yield Step(None, (before,), starts)
            for child, start, end in zip(tree.children, starts, ends_, strict=True):
                yield from _block(child, start, end, places)
            yield Step(None, ends_, (after,))
        case Operator.LOOP:
            yield from _loop(tree, before, after, places)
        case Operator.INCLUSIVE if len(tree.children) == 1:
            yield from _block(tree.children[0], before, after, places)
        case Operator.INCLUSIVE:
            yield from _inclusive(tree, before, after, places)


def _loop(tree: ProcessTree, before: str, after: str, places: Iterator[str]) -> Iterator[Step]:
    start, end = next(places), next(places)
    yield Step(None, (before,), (start,))
    yield from _block(tree.children[0], start, end, places)
    for redo in tree.children[1:]:
        yield from _block(redo, end, start, places)
    yield Step(None, (end,), (after,))


def _inclusive(tree: ProcessTree, before: str, after: str, places: Iterator[str]) -> Iterator[Step]:
    """A child may be left out only once another one was chosen, so the join never waits in vain."""
    nothing, something = next(places), next(places)
    open_ = tuple(next(places) for _ in tree.children)
    done = tuple(next(places) for _ in tree.children)
    yield Step(None, (before,), (nothing, *open_))
    for child, start, end in zip(tree.children, open_, done, strict=True):
        chosen = next(places)
        yield Step(None, (nothing, start), (something, chosen))
        yield Step(None, (something, start), (something, chosen))
        yield Step(None, (something, start), (something, end))
        yield from _block(child, chosen, end, places)
    yield Step(None, (something, *done), (after,))
