"""Optimal alignments with process trees whose activities are all different.

The root and every child of a parallel or inclusive node is a block. Inside a block nothing is
parallel, so a block is a regular expression over entries: activities, and the parallel and
inclusive nodes in it. Its places are its start and the place behind each entry (Glushkov 1961).
Because activities are all different, an event belongs to one entry of each block around it, and a
node costs what its children cost over their own events, whatever the interleaving.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from miner.conformance.coded_traces import Ints, Longs
from miner.conformance.tree_blocks import Blocks
from miner.model.process_tree import Operator, ProcessTree

_MOST_ENTRIES = 512
"""In one block; the ways between them are a table."""
_FAR = 1 << 28


@dataclass(frozen=True)
class TreeProgram:
    """A tree ready to be aligned with."""

    blocks: Blocks
    labels: tuple[str, ...]
    """Activities by code."""
    shortest: int


def program_of(tree: ProcessTree, transitions: dict[str, int]) -> TreeProgram | None:
    """`tree` as arrays; `transitions` has the number of the transition of each activity.

    Null when two leaves share an activity, or when a block has more than 512 entries.
    """
    labels = tree.labels()
    if len(set(labels)) < len(labels) or len(transitions) < len(labels):
        return None
    building = _Building(transitions)
    building.block(tree, -1, 0, anywhere=False)
    if max(len(block.costs) for block in building.blocks) > _MOST_ENTRIES:
        return None
    return TreeProgram(building.arrays(), tuple(building.leaves), tree.shortest())


@dataclass
class _Block:
    node: int
    child: int
    anywhere: bool
    costs: list[int] = field(default_factory=list)
    """Of each entry when the model runs it alone."""
    transitions: list[int] = field(default_factory=list)
    """Of each entry, for a node the lowest one in it."""
    nodes: list[int] = field(default_factory=list)
    """Of each entry, -1 for an activity."""
    follow: list[int] = field(default_factory=list)
    """Of each place, the bits of the entries that may come next; the start comes first."""
    last: int = 0
    nullable: bool = False


@dataclass
class _Node:
    block: int
    entry: int
    tree: ProcessTree
    children: list[int] = field(default_factory=list)


_Part = tuple[bool, int, int]
"""Whether part of an expression may be skipped, bits of its first entries, bits of its last."""


class _Building:
    def __init__(self, transitions: dict[str, int]) -> None:
        self._transitions = transitions
        self.blocks: list[_Block] = []
        self._nodes: list[_Node] = []
        self.leaves: dict[str, tuple[int, int]] = {}

    def block(self, tree: ProcessTree, node: int, child: int, *, anywhere: bool) -> int:
        number = len(self.blocks)
        block = _Block(node, child, anywhere, follow=[0])
        self.blocks.append(block)
        begun = len(self._nodes)
        block.nullable, first, block.last = self._part(tree, number)
        block.follow[0] = first
        inside = [(n, each) for n, each in enumerate(self._nodes[begun:], begun)]
        for at, each in inside:
            # A node that nothing can follow, in a block that takes all events, takes all events.
            ends_anywhere = anywhere or block.follow[each.entry + 1] != 0
            each.children += [
                self.block(part, at, index, anywhere=ends_anywhere)
                for index, part in enumerate(each.tree.children)
            ]
        return number

    def _part(self, tree: ProcessTree, number: int) -> _Part:
        match tree.operator:
            case None:
                if tree.label is None:
                    return True, 0, 0
                self.leaves[tree.label] = (number, len(self.blocks[number].costs))
                return self._entry(number, 1, self._transitions[tree.label], -1)
            case Operator.PARALLEL | Operator.INCLUSIVE if len(tree.children) > 1:
                entry = len(self.blocks[number].costs)
                self._nodes.append(_Node(number, entry, tree))
                lowest = min((self._transitions[x] for x in tree.labels()), default=0)
                return self._entry(number, tree.shortest(), lowest, len(self._nodes) - 1)
            case Operator.LOOP:
                return self._loop(tree, number)
            case Operator.EXCLUSIVE:
                parts = [self._part(child, number) for child in tree.children]
                return _either(parts)
            case _:
                return self._sequence(
                    [self._part(child, number) for child in tree.children], number
                )

    def _entry(self, number: int, cost: int, transition: int, node: int) -> _Part:
        block = self.blocks[number]
        bit = 1 << len(block.costs)
        block.costs.append(cost)
        block.transitions.append(transition)
        block.nodes.append(node)
        block.follow.append(0)
        return False, bit, bit

    def _sequence(self, parts: list[_Part], number: int) -> _Part:
        nullable, first, last = parts[0]
        for may_skip, begin, end in parts[1:]:
            self._link(number, last, begin)
            first |= begin if nullable else 0
            last = end | (last if may_skip else 0)
            nullable = nullable and may_skip
        return nullable, first, last

    def _loop(self, tree: ProcessTree, number: int) -> _Part:
        nullable, begin, end = self._part(tree.children[0], number)
        may_skip, redo, redone = _either([self._part(c, number) for c in tree.children[1:]])
        self._link(number, end, redo | (begin if may_skip else 0))
        self._link(number, redone, begin | (redo if nullable else 0))
        return nullable, begin | (redo if nullable else 0), end | (redone if nullable else 0)

    def _link(self, number: int, last: int, first: int) -> None:
        follow = self.blocks[number].follow
        while last:
            low = last & -last
            follow[low.bit_length()] |= first
            last ^= low

    def arrays(self) -> Blocks:
        """All blocks and nodes in flat arrays."""
        tables = [_tables(block) for block in self.blocks]
        ways, hops, rest, rest_hops = map(_joined, zip(*tables, strict=True))
        entries = [len(block.costs) for block in self.blocks]
        leaves = list(self.leaves.values())
        children = [each.children for each in self._nodes]
        return Blocks(
            _ints(entries),
            _starts([n * (n + 1) for n in entries]),
            _starts([n + 1 for n in entries]),
            _starts(entries),
            np.array([block.anywhere for block in self.blocks], bool),
            _ints([block.node for block in self.blocks]),
            _ints([block.child for block in self.blocks]),
            ways,
            hops,
            rest,
            rest_hops,
            _ints([node for block in self.blocks for node in block.nodes]),
            _ints([t for block in self.blocks for t in block.transitions]),
            _ints([each.block for each in self._nodes]),
            _ints([each.entry for each in self._nodes]),
            np.array([x.tree.operator is Operator.INCLUSIVE for x in self._nodes], bool),
            _ints([each.tree.shortest() for each in self._nodes]),
            _starts([len(each) for each in children]),
            _ints([block for each in children for block in each]),
            _ints([block for block, _ in leaves]),
            _ints([entry for _, entry in leaves]),
        )


def _either(parts: list[_Part]) -> _Part:
    nullable, first, last = False, 0, 0
    for may_skip, begin, end in parts:
        nullable, first, last = nullable or may_skip, first | begin, last | end
    return nullable, first, last


def _tables(block: _Block) -> tuple[Longs, Longs, Longs, Longs]:
    """Ways to each entry, the first entry on them; the same to the end (see `Blocks`)."""
    size = len(block.costs)
    costs = np.array(block.costs, np.int64)
    ways = np.full((size + 1, size + 1), _FAR, np.int64)
    for place, bits in enumerate(block.follow):
        ways[place, :size][_bits(bits, size)] = 0
    # The end of the block is one more entry, which nothing follows.
    ways[1:, size][_bits(block.last, size)] = 0
    ways[0, size] = 0 if block.nullable else _FAR
    for entry in range(size):
        around = ways[:, entry, None] + costs[entry] + ways[entry + 1]
        np.minimum(ways, around, out=ways)
    hops = np.full((size + 1, size + 1), -1, np.int64)
    for entry in sorted(range(size), key=lambda e: (block.transitions[e], e), reverse=True):
        if costs[entry]:
            first = (ways[:, entry] == 0)[:, None] & (costs[entry] + ways[entry + 1] == ways)
            hops[first & (ways > 0)] = entry
    np.minimum(ways, _FAR, out=ways)
    return ways[:, :size].T.ravel(), hops[:, :size].T.ravel(), ways[:, size], hops[:, size]


def _bits(bits: int, size: int) -> npt.NDArray[np.bool_]:
    data = np.frombuffer(bits.to_bytes(size // 8 + 1, "little"), np.uint8)
    return np.unpackbits(data, bitorder="little")[:size].astype(bool)


def _ints(values: list[int]) -> Ints:
    return np.array(values, np.int32)


def _starts(sizes: list[int]) -> Longs:
    return np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)]).astype(np.int64)


def _joined(parts: Sequence[Longs]) -> Ints:
    return np.concatenate(parts).astype(np.int32)
