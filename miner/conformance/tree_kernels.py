"""Compiled loops of alignments with process trees; import it only where they run.

A trace is read from its end. While it grows by an event in front, each block of the tree that has
the event's activity gets a column more: the least costs of running the block, from each of its
places, over its own events from the newest down to each possible end.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from miner.conformance.tree_blocks import Stack

FAR = 1 << 28

# Called by compiled code only, which makes compiling a quarter faster.
_INNER: Any = {"nogil": True, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}
inner = njit(**_INNER)


@inner
def _rows(number, anywhere):  # type: ignore[no-untyped-def]
    """Rows for so many events: one for each, or one for each and each possible end."""
    return (number + 1) * (number + 2) // 2 if anywhere else number + 1


@inner
def _row(stack, block, number, end, anywhere, places):  # type: ignore[no-untyped-def]
    row = number * (number + 1) // 2 + end if anywhere else number
    return stack.costs_at[block] + row * places


@inner
def _node_row(stack, node, number, end, anywhere):  # type: ignore[no-untyped-def]
    row = number * (number + 1) // 2 + end if anywhere else number
    return stack.node_costs_at[node] + row


@inner
def _anywhere(blocks, node):  # type: ignore[no-untyped-def]
    """Whether `node` may end before any of its events."""
    return blocks.ends_anywhere[blocks.children[blocks.children_at[node]]]


@inner
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
        total += _rows(own[block], blocks.ends_anywhere[block]) * (blocks.entries[block] + 1)
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


@inner
def _most(codes, offsets, order, begin, end, blocks):  # type: ignore[no-untyped-def]
    """The most events of each block and node in one trace of a range."""
    own, met = np.zeros(len(blocks.entries), np.int64), np.zeros(len(blocks.shortest), np.int64)
    most_own, most_met = own.copy(), met.copy()
    for place in range(begin, end):
        elements(codes, offsets, order[place], blocks, own, met)
        most_own = np.maximum(most_own, own)
        most_met = np.maximum(most_met, met)
    return most_own, most_met


@inner
def _empty_stack(most_own, most_met, blocks):  # type: ignore[no-untyped-def]
    size, nodes = len(most_own), len(most_met)
    costs_at, events_at = np.zeros(size + 1, np.int64), np.zeros(size + 1, np.int64)
    node_costs_at, node_events_at = np.zeros(nodes + 1, np.int64), np.zeros(nodes + 1, np.int64)
    split_at = np.zeros(nodes + 1, np.int64)
    for block in range(size):
        rows = _rows(most_own[block], blocks.ends_anywhere[block])
        costs_at[block + 1] = costs_at[block] + rows * (blocks.entries[block] + 1)
        events_at[block + 1] = events_at[block] + most_own[block] + 1
    for node in range(nodes):
        rows, children = most_met[node] + 1, blocks.children_at[node + 1] - blocks.children_at[node]
        split_at[node + 1] = split_at[node] + rows * children
        node_events_at[node + 1] = node_events_at[node] + rows
        rows = _rows(most_met[node], _anywhere(blocks, node))
        node_costs_at[node + 1] = node_costs_at[node] + rows
    costs, node_costs = np.empty(costs_at[size], np.int32), np.empty(node_costs_at[nodes], np.int32)
    for block in range(size):
        at, places = blocks.places_at[block], blocks.entries[block] + 1
        costs[costs_at[block] : costs_at[block] + places] = blocks.rest[at : at + places]
    for node in range(nodes):
        node_costs[node_costs_at[node]] = blocks.shortest[node]
    entry, place, number = np.empty((3, events_at[size]), np.int32)
    above, split = np.empty(node_events_at[nodes], np.int32), np.zeros(split_at[nodes], np.int32)
    own, met = np.zeros_like(most_own), np.zeros_like(most_met)
    return Stack(
        own, met, costs, costs_at, events_at, entry, place, number,
        node_costs, node_costs_at, node_events_at, above, split, split_at,
    )  # fmt: skip


@inner
def _through_node(stack, blocks, block, entry, node, number, end):  # type: ignore[no-untyped-def]
    """The least cost when the event begins `node`, which ends at the best place for it."""
    met, anywhere = stack.met[node], _anywhere(blocks, node)
    places, least = blocks.entries[block] + 1, FAR
    around = blocks.ends_anywhere[block]
    for node_end in range(met - 1 if anywhere else 0, -1, -1):
        before = stack.above[stack.node_events_at[node] + node_end + 1] - 1
        if before < end:
            break
        cost = (
            stack.node_costs[_node_row(stack, node, met, node_end, anywhere)]
            + (number + 1 - before)
            - (met - node_end)
            + stack.costs[_row(stack, block, before, end, around, places) + entry + 1]
        )
        least = min(least, cost)
    return least


@inner
def _grow(stack, blocks, block, entry, node, place):  # type: ignore[no-untyped-def]
    """One event more in front of those of `block`, that its `entry` may take."""
    number, places = stack.own[block], blocks.entries[block] + 1
    anywhere, costs = blocks.ends_anywhere[block], stack.costs
    way = blocks.ways_at[block] + entry * places
    for end in range(number + 1 if anywhere else 1):
        old = _row(stack, block, number, end, anywhere, places)
        new = _row(stack, block, number + 1, end, anywhere, places)
        if node < 0:
            here = costs[old + entry + 1]
        else:
            here = _through_node(stack, blocks, block, entry, node, number, end)
        for at in range(places):
            costs[new + at] = min(costs[old + at] + 1, here + blocks.ways[way + at])
    if anywhere:
        new, at = _row(stack, block, number + 1, number + 1, True, places), blocks.places_at[block]
        costs[new : new + places] = blocks.rest[at : at + places]
    at = stack.events_at[block] + number + 1
    stack.entry[at], stack.place[at] = entry, place
    stack.number[at] = stack.met[node] if node >= 0 else 0
    stack.own[block] = number + 1


@inner
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
    anywhere = _anywhere(blocks, node)
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


@inner
def _push(stack, blocks, code, place):  # type: ignore[no-untyped-def]
    block = blocks.block_of_label[code]
    _grow(stack, blocks, block, blocks.entry_of_label[code], -1, place)
    node = blocks.node_of_block[block]
    while node >= 0:
        _grow_node(stack, blocks, node, blocks.child_of_block[block])
        block = blocks.block_of_node[node]
        _grow(stack, blocks, block, blocks.entry_of_node[node], node, place)
        node = blocks.node_of_block[block]


@inner
def _pop(stack, blocks, code):  # type: ignore[no-untyped-def]
    block = blocks.block_of_label[code]
    stack.own[block] -= 1
    node = blocks.node_of_block[block]
    while node >= 0:
        stack.met[node] -= 1
        block = blocks.block_of_node[node]
        stack.own[block] -= 1
        node = blocks.node_of_block[block]


@inner
def _cost(stack, blocks, block, number, end, at):  # type: ignore[no-untyped-def]
    """The least cost of running `block` from place `at` over its events `number` down to `end`."""
    if number == end:
        return blocks.rest[blocks.places_at[block] + at]
    places = blocks.entries[block] + 1
    return stack.costs[_row(stack, block, number, end, blocks.ends_anywhere[block], places) + at]


@inner
def _begun(stack, blocks, block, number, end, at):  # type: ignore[no-untyped-def]
    """Where the entry that has the event may end on an optimal way, -1 when it may not begin.

    For an activity that is 0; for a node the number of its events that are left over.
    """
    event = stack.events_at[block] + number
    entry, places = stack.entry[event], blocks.entries[block] + 1
    if blocks.ways[blocks.ways_at[block] + entry * places + at] != 0:
        return -1
    value = _cost(stack, blocks, block, number, end, at)
    node = blocks.node_of_entry[blocks.entries_at[block] + entry]
    if node < 0:
        return 0 if _cost(stack, blocks, block, number - 1, end, entry + 1) == value else -1
    met = stack.number[event]
    anywhere = _anywhere(blocks, node)
    for node_end in range(met if anywhere else 1):
        before = stack.above[stack.node_events_at[node] + node_end + 1] - 1
        if before < end:
            continue
        cost = stack.node_costs[_node_row(stack, node, met, node_end, anywhere)]
        cost += number - before - (met - node_end)
        if cost + _cost(stack, blocks, block, before, end, entry + 1) == value:
            return node_end
    return -1


@inner
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


@inner
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
        tasks[count, 3] = stack.split[split + node_end * children + child]
        tasks[count, 2], tasks[count, 4] = 0, place
        count += 1
    return count


@inner
def _place(stack, block, number, end, last):  # type: ignore[no-untyped-def]
    """How far from the end of the trace a model move is that waits for the next event."""
    return stack.place[stack.events_at[block] + number] if number > end else last


@inner
def _after_node(stack, blocks, block, number, end, at, node, node_end):  # type: ignore[no-untyped-def]
    """The events left behind `node` when what the model does alone waits for one of both."""
    number = stack.above[stack.node_events_at[node] + node_end + 1] - 1
    while (
        number > end
        and _begun(stack, blocks, block, number, end, at) < 0
        and _cost(stack, blocks, block, number - 1, end, at) + 1
        == _cost(stack, blocks, block, number, end, at)
    ):
        number -= 1
    return number


@inner
def _run(stack, blocks, tasks, count, last_event, matched, moves, done):  # type: ignore[no-untyped-def]
    """Trace the run on top of `tasks` until it ends or a node in it is to be traced first."""
    task = tasks[count - 1]
    block, number, at, end, last = task[0], task[1], task[2], task[3], task[4]
    ways, entries_at = blocks.ways_at[block], blocks.entries_at[block]
    while True:
        place = _place(stack, block, number, end, last)
        if number > end:
            event = stack.events_at[block] + number
            entry = stack.entry[event]
            node_end = _begun(stack, blocks, block, number, end, at)
            node = blocks.node_of_entry[entries_at + entry]
            if node_end >= 0 and node < 0:
                fired = blocks.transition_of_entry[entries_at + entry]
                matched[last_event - stack.place[event]] = fired
                number, at = number - 1, entry + 1
                continue
            if node_end >= 0:
                met, at = stack.number[event], entry + 1
                number = _after_node(stack, blocks, block, number, end, at, node, node_end)
                task[1], task[2] = number, at
                place = _place(stack, block, number, end, last)
                count = _schedule(stack, blocks, tasks, count, node, met, node_end, place)
                return count, moves, done
            value = _cost(stack, blocks, block, number, end, at)
            if _cost(stack, blocks, block, number - 1, end, at) + 1 == value:
                number -= 1
                continue
            hop = blocks.hops[ways + entry * (blocks.entries[block] + 1) + at]
        else:
            hop = blocks.rest_hops[blocks.places_at[block] + at]
            if hop < 0:
                return count - 1, moves, done
        at, node = hop + 1, blocks.node_of_entry[entries_at + hop]
        if node >= 0:
            task[1], task[2] = number, at
            return _schedule(stack, blocks, tasks, count, node, 0, 0, place), moves, done
        if done == len(moves):
            moves = np.concatenate((moves, moves))
        moves[done, 1], moves[done, 2] = place, blocks.transition_of_entry[entries_at + hop]
        done += 1


@njit(cache=True, nogil=True)
def align_range(codes, offsets, order, begin, end, blocks, costs, matched):  # type: ignore[no-untyped-def]
    """Costs, transition of each event (-1: log move) and model moves of the traces of a range.

    Traces are taken in `order[begin:end]`, which is that of their events read backwards. Returns
    the model moves: trace, number of the event before which it is, transition.
    """
    stack = _empty_stack(*_most(codes, offsets, order, begin, end, blocks), blocks)
    tasks = np.empty((2 * len(blocks.entries) + 2, 5), np.int64)
    moves = np.empty((1024, 3), np.int32)
    done, before = 0, -1
    for place in range(begin, end):
        trace = order[place]
        last, length = offsets[trace + 1], offsets[trace + 1] - offsets[trace]
        same = 0
        if before >= 0:
            low, ended = offsets[before], offsets[before + 1]
            most = min(length, ended - low)
            while same < most and codes[ended - 1 - same] == codes[last - 1 - same]:
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
