"""Compiled loops of alignments with process trees; import it only where they run.

A trace is read from its end. While it grows by an event in front, each block of the tree that has
the event's activity gets a column more: the least costs of running the block, from each of its
places, over its own events from the newest down to each possible end.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit

FAR = 1 << 28


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


@njit(cache=True, nogil=True)
def _row(stack, block, number, end, anywhere, places):  # type: ignore[no-untyped-def]
    row = number * (number + 1) // 2 + end if anywhere else number
    return stack.costs_at[block] + row * places


@njit(cache=True, nogil=True)
def _node_row(stack, node, number, end, anywhere):  # type: ignore[no-untyped-def]
    return stack.node_costs_at[node] + (number * (number + 1) // 2 + end if anywhere else number)


@njit(cache=True, nogil=True)
def elements(codes, offsets, trace, blocks, own, met):  # type: ignore[no-untyped-def]
    """How many numbers a trace takes; counts the events of each block and node."""
    own[:] = 0
    met[:] = 0
    for place in range(offsets[trace], offsets[trace + 1]):
        code = codes[place]
        if code < 0:
            continue
        block = blocks.block_of_label[code]
        own[block] += 1
        node = blocks.node_of_block[block]
        while node >= 0:
            met[node] += 1
            block = blocks.block_of_node[node]
            own[block] += 1
            node = blocks.node_of_block[block]
    total = 0
    for block in range(len(own)):
        rows = own[block] + 1
        if blocks.ends_anywhere[block]:
            rows = rows * (own[block] + 2) // 2
        total += rows * (blocks.entries[block] + 1)
    return total


@njit(cache=True, nogil=True)
def all_elements(codes, offsets, blocks):  # type: ignore[no-untyped-def]
    """How many numbers each trace takes."""
    own = np.zeros(len(blocks.entries), np.int64)
    met = np.zeros(len(blocks.shortest), np.int64)
    found = np.empty(len(offsets) - 1, np.int64)
    for trace in range(len(offsets) - 1):
        found[trace] = elements(codes, offsets, trace, blocks, own, met)
    return found


@njit(cache=True, nogil=True)
def _empty_stack(codes, offsets, order, begin, end, blocks):  # type: ignore[no-untyped-def]
    size, nodes = len(blocks.entries), len(blocks.shortest)
    own, met = np.zeros(size, np.int64), np.zeros(nodes, np.int64)
    most_own, most_met = np.zeros(size, np.int64), np.zeros(nodes, np.int64)
    for place in range(begin, end):
        elements(codes, offsets, order[place], blocks, own, met)
        most_own = np.maximum(most_own, own)
        most_met = np.maximum(most_met, met)
    costs_at, events_at = np.zeros(size + 1, np.int64), np.zeros(size + 1, np.int64)
    for block in range(size):
        rows = most_own[block] + 1
        if blocks.ends_anywhere[block]:
            rows = rows * (most_own[block] + 2) // 2
        costs_at[block + 1] = costs_at[block] + rows * (blocks.entries[block] + 1)
        events_at[block + 1] = events_at[block] + most_own[block] + 1
    node_costs_at, node_events_at = np.zeros(nodes + 1, np.int64), np.zeros(nodes + 1, np.int64)
    split_at = np.zeros(nodes + 1, np.int64)
    for node in range(nodes):
        rows = most_met[node] + 1
        children = blocks.children_at[node + 1] - blocks.children_at[node]
        split_at[node + 1] = split_at[node] + rows * children
        node_events_at[node + 1] = node_events_at[node] + rows
        if blocks.ends_anywhere[blocks.children[blocks.children_at[node]]]:
            rows = rows * (most_met[node] + 2) // 2
        node_costs_at[node + 1] = node_costs_at[node] + rows
    events = events_at[size]
    stack = Stack(
        np.zeros(size, np.int64),
        np.zeros(nodes, np.int64),
        np.empty(costs_at[size], np.int32),
        costs_at,
        events_at,
        np.empty(events, np.int32),
        np.empty(events, np.int32),
        np.empty(events, np.int32),
        np.empty(node_costs_at[nodes], np.int32),
        node_costs_at,
        node_events_at,
        np.empty(node_events_at[nodes], np.int32),
        np.zeros(split_at[nodes], np.int32),
        split_at,
    )
    for block in range(size):
        at, places = blocks.places_at[block], blocks.entries[block] + 1
        first = costs_at[block]
        stack.costs[first : first + places] = blocks.rest[at : at + places]
    for node in range(nodes):
        stack.node_costs[node_costs_at[node]] = blocks.shortest[node]
    return stack


@njit(cache=True, nogil=True)
def _grow(stack, blocks, block, entry, node, place):  # type: ignore[no-untyped-def]
    """One event more in front of those of `block`, that its `entry` may take."""
    number, places = stack.own[block], blocks.entries[block] + 1
    anywhere = blocks.ends_anywhere[block]
    way = blocks.ways_at[block] + entry * places
    met = stack.met[node] if node >= 0 else 0
    node_anywhere = (
        blocks.ends_anywhere[blocks.children[blocks.children_at[node]]] if node >= 0 else False
    )
    above = stack.node_events_at[node] if node >= 0 else 0
    costs = stack.costs
    for end in range(number + 1 if anywhere else 1):
        old = _row(stack, block, number, end, anywhere, places)
        new = _row(stack, block, number + 1, end, anywhere, places)
        if node < 0:
            here = costs[old + entry + 1]
        else:
            here = FAR
            for node_end in range(met - 1 if node_anywhere else 0, -1, -1):
                before = stack.above[above + node_end + 1] - 1
                if before < end:
                    break
                cost = (
                    stack.node_costs[_node_row(stack, node, met, node_end, node_anywhere)]
                    + (number + 1 - before)
                    - (met - node_end)
                    + costs[_row(stack, block, before, end, anywhere, places) + entry + 1]
                )
                here = min(here, cost)
        for at in range(places):
            costs[new + at] = min(costs[old + at] + 1, here + blocks.ways[way + at])
    if anywhere:
        new = _row(stack, block, number + 1, number + 1, anywhere, places)
        at = blocks.places_at[block]
        for each in range(places):
            costs[new + each] = blocks.rest[at + each]
    at = stack.events_at[block] + number + 1
    stack.entry[at], stack.place[at], stack.number[at] = entry, place, met
    stack.own[block] = number + 1


@njit(cache=True, nogil=True)
def _grow_node(stack, blocks, node, child):  # type: ignore[no-untyped-def]
    """One event more in front of those of `node`, which its `child` has got already."""
    number = stack.met[node]
    first = blocks.children_at[node]
    children = blocks.children_at[node + 1] - first
    split = stack.split_at[node]
    row = split + (number + 1) * children
    for each in range(children):
        stack.split[row + each] = stack.split[row - children + each]
    stack.split[row + child] += 1
    anywhere = blocks.ends_anywhere[blocks.children[first]]
    for end in range(number + 1 if anywhere else 1):
        total, least = 0, FAR
        for each in range(children):
            block = blocks.children[first + each]
            low = stack.split[split + end * children + each]
            cost = stack.costs[
                _row(stack, block, stack.own[block], low, anywhere, blocks.entries[block] + 1)
            ]
            if blocks.is_inclusive[node]:
                skipped = stack.own[block] - low
                least = min(least, max(0, cost - skipped))
                cost = min(cost, skipped)
            total += cost
        if blocks.is_inclusive[node]:
            total += least
        stack.node_costs[_node_row(stack, node, number + 1, end, anywhere)] = total
    if anywhere:
        stack.node_costs[_node_row(stack, node, number + 1, number + 1, anywhere)] = (
            blocks.shortest[node]
        )
    stack.above[stack.node_events_at[node] + number + 1] = stack.own[blocks.block_of_node[node]] + 1
    stack.met[node] = number + 1


@njit(cache=True, nogil=True)
def _push(stack, blocks, code, place):  # type: ignore[no-untyped-def]
    block = blocks.block_of_label[code]
    _grow(stack, blocks, block, blocks.entry_of_label[code], -1, place)
    node = blocks.node_of_block[block]
    while node >= 0:
        _grow_node(stack, blocks, node, blocks.child_of_block[block])
        block = blocks.block_of_node[node]
        _grow(stack, blocks, block, blocks.entry_of_node[node], node, place)
        node = blocks.node_of_block[block]


@njit(cache=True, nogil=True)
def _pop(stack, blocks, code):  # type: ignore[no-untyped-def]
    block = blocks.block_of_label[code]
    stack.own[block] -= 1
    node = blocks.node_of_block[block]
    while node >= 0:
        stack.met[node] -= 1
        block = blocks.block_of_node[node]
        stack.own[block] -= 1
        node = blocks.node_of_block[block]


@njit(cache=True, nogil=True)
def _cost(stack, blocks, block, number, end, at):  # type: ignore[no-untyped-def]
    """The least cost of running `block` from place `at` over its events `number` down to `end`."""
    if number == end:
        return blocks.rest[blocks.places_at[block] + at]
    places = blocks.entries[block] + 1
    return stack.costs[_row(stack, block, number, end, blocks.ends_anywhere[block], places) + at]


@njit(cache=True, nogil=True)
def _begun(stack, blocks, block, number, end, at):  # type: ignore[no-untyped-def]
    """Where the entry that has the event may end on an optimal way, -1 when it may not begin.

    For an activity that is 0; for a node the number of its events that are left over.
    """
    event = stack.events_at[block] + number
    entry = stack.entry[event]
    places = blocks.entries[block] + 1
    if blocks.ways[blocks.ways_at[block] + entry * places + at] != 0:
        return -1
    value = _cost(stack, blocks, block, number, end, at)
    node = blocks.node_of_entry[blocks.entries_at[block] + entry]
    if node < 0:
        return 0 if _cost(stack, blocks, block, number - 1, end, entry + 1) == value else -1
    met = stack.number[event]
    anywhere = blocks.ends_anywhere[blocks.children[blocks.children_at[node]]]
    for node_end in range(met if anywhere else 1):
        before = stack.above[stack.node_events_at[node] + node_end + 1] - 1
        if before < end:
            continue
        cost = stack.node_costs[_node_row(stack, node, met, node_end, anywhere)]
        cost += number - before - (met - node_end)
        if cost + _cost(stack, blocks, block, before, end, entry + 1) == value:
            return node_end
    return -1


@njit(cache=True, nogil=True)
def _ran(stack, blocks, node, met, node_end, child):  # type: ignore[no-untyped-def]
    """Whether `child` runs in an optimal run of an inclusive node over some of its events."""
    first = blocks.children_at[node]
    children = blocks.children_at[node + 1] - first
    best, chosen, runs = FAR, -1, False
    for each in range(children):
        block = blocks.children[first + each]
        high = stack.split[stack.split_at[node] + met * children + each]
        low = stack.split[stack.split_at[node] + node_end * children + each]
        more = _cost(stack, blocks, block, high, low, 0) - (high - low)
        if each == child:
            runs = more <= 0
        if more < best:
            best, chosen = more, each
    return runs or (best > 0 and chosen == child)


@njit(cache=True, nogil=True)
def _schedule(stack, blocks, tasks, count, node, met, node_end, place):  # type: ignore[no-untyped-def]
    """Put the runs of the children of `node` on the list of what is to be traced."""
    first = blocks.children_at[node]
    children = blocks.children_at[node + 1] - first
    split = stack.split_at[node]
    for child in range(children - 1, -1, -1):
        if blocks.is_inclusive[node] and not _ran(stack, blocks, node, met, node_end, child):
            continue
        tasks[count, 0] = blocks.children[first + child]
        tasks[count, 1] = stack.split[split + met * children + child]
        tasks[count, 2] = 0
        tasks[count, 3] = stack.split[split + node_end * children + child]
        tasks[count, 4] = place
        count += 1
    return count


@njit(cache=True, nogil=True)
def _place(stack, block, number, end, last):  # type: ignore[no-untyped-def]
    """How far from the end of the trace a model move is that waits for the next event."""
    return stack.place[stack.events_at[block] + number] if number > end else last


@njit(cache=True, nogil=True)
def _run(stack, blocks, tasks, count, last_event, matched, moves, done):  # type: ignore[no-untyped-def]
    """Trace the run on top of `tasks` until it ends or a node in it is to be traced first."""
    count -= 1
    block, number, at = tasks[count, 0], tasks[count, 1], tasks[count, 2]
    end, last = tasks[count, 3], tasks[count, 4]
    places, entries_at = blocks.entries[block] + 1, blocks.entries_at[block]
    while True:
        place = _place(stack, block, number, end, last)
        if number > end:
            event = stack.events_at[block] + number
            entry = stack.entry[event]
            node_end = _begun(stack, blocks, block, number, end, at)
            node = blocks.node_of_entry[entries_at + entry]
            if node_end >= 0 and node < 0:
                matched[last_event - stack.place[event]] = blocks.transition_of_entry[
                    entries_at + entry
                ]
                number, at = number - 1, entry + 1
                continue
            if node_end >= 0:
                met = stack.number[event]
                at = entry + 1
                number = stack.above[stack.node_events_at[node] + node_end + 1] - 1
                # What the model does alone waits until an event of both comes.
                while (
                    number > end
                    and _begun(stack, blocks, block, number, end, at) < 0
                    and _cost(stack, blocks, block, number - 1, end, at) + 1
                    == _cost(stack, blocks, block, number, end, at)
                ):
                    number -= 1
                tasks[count, 1], tasks[count, 2] = number, at
                place = _place(stack, block, number, end, last)
                return (
                    _schedule(stack, blocks, tasks, count + 1, node, met, node_end, place),
                    moves,
                    done,
                )
            value = _cost(stack, blocks, block, number, end, at)
            if _cost(stack, blocks, block, number - 1, end, at) + 1 == value:
                number -= 1
                continue
            hop = blocks.hops[blocks.ways_at[block] + entry * places + at]
        else:
            hop = blocks.rest_hops[blocks.places_at[block] + at]
            if hop < 0:
                return count, moves, done
        at = hop + 1
        node = blocks.node_of_entry[entries_at + hop]
        if node >= 0:
            tasks[count, 1], tasks[count, 2] = number, at
            return _schedule(stack, blocks, tasks, count + 1, node, 0, 0, place), moves, done
        if done == len(moves):
            more = np.empty((2 * done, 3), np.int32)
            more[:done] = moves
            moves = more
        moves[done, 1], moves[done, 2] = place, blocks.transition_of_entry[entries_at + hop]
        done += 1


@njit(cache=True, nogil=True)
def align_range(codes, offsets, order, begin, end, blocks, costs, matched):  # type: ignore[no-untyped-def]
    """Costs, transition of each event (-1: log move) and model moves of the traces of a range.

    Traces are taken in `order[begin:end]`, which is that of their events read backwards. Returns
    the model moves: trace, number of the event before which it is, transition.
    """
    stack = _empty_stack(codes, offsets, order, begin, end, blocks)
    tasks = np.empty((2 * len(blocks.entries) + 2, 5), np.int64)
    moves = np.empty((1024, 3), np.int32)
    done, before = 0, -1
    for place in range(begin, end):
        trace = order[place]
        last, length = offsets[trace + 1], offsets[trace + 1] - offsets[trace]
        same = 0
        if before >= 0:
            low, ended = offsets[before], offsets[before + 1]
            while (
                same < min(length, ended - low)
                and codes[ended - 1 - same] == codes[last - 1 - same]
            ):
                same += 1
            for each in range(low, ended - same):
                if codes[each] >= 0:
                    _pop(stack, blocks, codes[each])
        for depth in range(same + 1, length + 1):
            if codes[last - depth] >= 0:
                _push(stack, blocks, codes[last - depth], depth)
        before = trace
        own = stack.own[0]
        costs[trace] = length - own + _cost(stack, blocks, 0, own, 0, 0)
        tasks[0, 0], tasks[0, 1], tasks[0, 2], tasks[0, 3], tasks[0, 4] = 0, own, 0, 0, 0
        count, first = 1, done
        while count > 0:
            count, moves, done = _run(stack, blocks, tasks, count, last, matched, moves, done)
        for move in range(first, done):
            moves[move, 0] = trace
            moves[move, 1] = length - moves[move, 1] + 1
    return moves[:done].copy()
