"""Process trees, and what is known of a trace's end, as arrays for compiled loops."""

from __future__ import annotations

from typing import Any, NamedTuple


class Blocks(NamedTuple):
    """The blocks of a tree as arrays; see `tree_alignment` for what they stand for."""

    entries: Any
    """Entries of each block; its places are the start and the place behind each entry."""
    ways_at: Any
    places_at: Any
    entries_at: Any
    ends_anywhere: Any
    """Whether what follows a block may need events, so that it may end before any of them."""
    node_of_block: Any
    child_of_block: Any
    ways: Any
    """By block, entry and place: the least cost of the model alone from the place to the entry."""
    hops: Any
    """By block, entry and place: the entry to run first on that way, -1 where it costs nothing."""
    rest: Any
    """By block and place: the least cost of the model alone to the end of the block."""
    rest_hops: Any
    node_of_entry: Any
    transition_of_entry: Any
    block_of_node: Any
    entry_of_node: Any
    is_inclusive: Any
    shortest: Any
    children_at: Any
    children: Any
    block_of_label: Any
    entry_of_label: Any


class Stack(NamedTuple):
    """What is known of the end of a trace."""

    own: Any
    """Events of each block."""
    met: Any
    """Events of each node."""
    costs: Any
    costs_at: Any
    events_at: Any
    """Where the events of each block begin in the next three."""
    entry: Any
    place: Any
    number: Any
    """Of an event of a block: its entry, how far from the end of the trace it is, and, where a
    node inside has it too, its number there."""
    node_costs: Any
    node_costs_at: Any
    node_events_at: Any
    above: Any
    """Of an event of a node: its number in the block around."""
    split: Any
    split_at: Any
    """Of an event of a node: the events of each child up to it."""
