"""Process trees: models built from blocks, sound by construction."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from miner.pm4py_bridge import PlainTree


class Operator(StrEnum):
    """How the children of a node of a process tree relate."""

    SEQUENCE = "->"
    """one after the other"""
    EXCLUSIVE = "X"
    """exactly one of them"""
    PARALLEL = "+"
    """all of them, in any interleaving"""
    INCLUSIVE = "O"
    """at least one of them, in any interleaving"""
    LOOP = "*"
    """the first; then, any number of times, one of the others and the first again"""


@dataclass(frozen=True)
class ProcessTree:
    """A node of a process tree: an operator over children, an activity, or a silent step.

    A node with an `operator` has children and no label. A leaf has no operator: its `label` is the
    activity, or null for a step that leaves no event.

    Source: van der Aalst, Process Mining, 2nd ed. (2016), section 3.2.8.
    """

    operator: Operator | None = None
    label: str | None = None
    children: tuple[ProcessTree, ...] = ()

    def __post_init__(self) -> None:
        if (self.operator is None) == bool(self.children):
            raise ValueError("a node has children exactly when it has an operator")
        if self.operator is not None and self.label is not None:
            raise ValueError(f"a node with an operator has no label, but this has {self.label!r}")

    def __str__(self) -> str:
        """The tree on one line: `->( 'a', X( 'b', tau ) )`; quotes in names are escaped by `\\`."""
        if self.operator is not None:
            return f"{self.operator}( {', '.join(map(str, self.children))} )"
        if self.label is None:
            return "tau"
        return "'" + self.label.replace("\\", "\\\\").replace("'", "\\'") + "'"

    @property
    def silent(self) -> bool:
        """Whether this is a leaf that leaves no event."""
        return self.operator is None and self.label is None

    def labels(self) -> tuple[str, ...]:
        """The activities of all leaves, from left to right, repeated where leaves share one."""
        if self.label is not None:
            return (self.label,)
        return tuple(label for child in self.children for label in child.labels())

    def shortest(self) -> int:
        """The number of activities of the shortest trace that the tree allows."""
        if self.operator is None:
            return 0 if self.label is None else 1
        lengths = [child.shortest() for child in self.children]
        match self.operator:
            case Operator.SEQUENCE | Operator.PARALLEL:
                return sum(lengths)
            case Operator.LOOP:
                return lengths[0]
            case _:
                return min(lengths)


TAU = ProcessTree()
"""The silent leaf."""


def activity(label: str) -> ProcessTree:
    """The leaf for the activity `label`."""
    return ProcessTree(label=label)


def tree(operator: Operator, *children: ProcessTree) -> ProcessTree:
    """The node with `operator` over `children`, of which there must be one at least."""
    return ProcessTree(operator, None, children)


def tree_of(plain: PlainTree) -> ProcessTree:
    """The tree that `plain` stands for."""
    if plain is None:
        return TAU
    if isinstance(plain, str):
        return activity(plain)
    operator, children = plain
    return tree(Operator(operator), *map(tree_of, children))
