"""Compiled loops of alignments with the states of a net; import it only where they run."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit

# Called by compiled code only, which makes compiling a quarter faster.
_INNER: Any = {"nogil": True, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}
inner = njit(**_INNER)


def grouped(keys: Any, groups: int) -> tuple[Any, Any]:
    """Where each group begins and ends in the order of `keys`, and that order (stable)."""
    order = np.argsort(keys, kind="stable")
    counts = np.bincount(keys, minlength=groups)
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64), order


@njit(cache=True, nogil=True)
def distances(offsets: Any, sources: Any, costs: Any, states: int, final: int) -> Any:
    """Least cost from each state to `final` along steps of cost 0 or 1, -1 without a way.

    The steps into state s are those from `offsets[s]` to `offsets[s + 1]`.
    """
    found = np.full(states, -1, np.int32)
    if final < 0:
        return found
    now = np.empty(states, np.int32)
    later = np.empty(states, np.int32)
    now[0] = final
    waiting, level = 1, 0
    found[final] = 0
    while waiting > 0:
        after = 0
        while waiting > 0:
            waiting -= 1
            state = now[waiting]
            if found[state] != level:
                continue
            for step in range(offsets[state], offsets[state + 1]):
                other, cost = sources[step], level + costs[step]
                if found[other] < 0 or found[other] > cost:
                    if costs[step] == 0:
                        found[other] = cost
                        now[waiting] = other
                        waiting += 1
                    elif found[other] < 0:
                        found[other] = cost
                        later[after] = other
                        after += 1
        now, later = later, now
        waiting, level = after, level + 1
    return found


class Steps(NamedTuple):
    """The steps of a net from three sides: by the code they need, by target, by source."""

    code_of: Any
    """Of each transition, -1 for silent ones."""
    ahead: Any
    sync_at: Any
    sync_source: Any
    sync_target: Any
    into_at: Any
    into_source: Any
    into_cost: Any
    out_at: Any
    out_transition: Any
    out_target: Any


def steps_of(
    source: Any, transition: Any, target: Any, ahead: Any, code_of: Any, codes: int
) -> Steps:
    """The steps, which come in the order of their source, as the kernels want them."""
    code = code_of[transition]
    visible = np.flatnonzero(code >= 0)
    sync_at, order = grouped(code[visible], codes)
    sync = visible[order]
    into_at, into = grouped(target, len(ahead))
    return Steps(
        code_of,
        ahead,
        sync_at,
        source[sync],
        target[sync],
        into_at,
        source[into],
        (code[into] >= 0).astype(np.int32),
        grouped(source, len(ahead))[0],
        transition,
        target,
    )


@inner
def _column(last, column, code, steps, queue, queued):  # type: ignore[no-untyped-def]
    """Least costs from each state with one more event of `code` in front of the rest."""
    states = len(last)
    for state in range(states):
        column[state] = last[state] + 1
    if code < 0:
        return
    tail = 0
    for step in range(steps.sync_at[code], steps.sync_at[code + 1]):
        state, cost = steps.sync_source[step], last[steps.sync_target[step]]
        if cost < column[state]:
            column[state] = cost
            if not queued[state]:
                queued[state] = True
                queue[tail] = state
                tail += 1
    head, size = 0, tail
    tail = tail if tail < states else 0
    while size > 0:
        state = queue[head]
        head = head + 1 if head + 1 < states else 0
        size -= 1
        queued[state] = False
        for step in range(steps.into_at[state], steps.into_at[state + 1]):
            other, cost = steps.into_source[step], column[state] + steps.into_cost[step]
            if cost < column[other]:
                column[other] = cost
                if not queued[other]:
                    queued[other] = True
                    queue[tail] = other
                    tail = tail + 1 if tail + 1 < states else 0
                    size += 1


@inner
def _step(columns, left, state, code, steps, queue, stamps, stamp):  # type: ignore[no-untyped-def]
    """The preferred step of an optimal alignment: transition (-1: log move, -2: end), state, left.

    `left` events are left, the first of them of `code`.
    """
    value = columns[left, state]
    stamps[state] = stamp
    queue[0] = state
    tail, head = 1, 0
    sync, sync_to, move, move_to = -1, -1, -1, -1
    while head < tail:
        at = queue[head]
        head += 1
        for step in range(steps.out_at[at], steps.out_at[at + 1]):
            fired, to = steps.out_transition[step], steps.out_target[step]
            label = steps.code_of[fired]
            if label == -1:
                if stamps[to] != stamp and columns[left, to] == value:
                    stamps[to] = stamp
                    queue[tail] = to
                    tail += 1
            elif left > 0 and label == code and columns[left - 1, to] == value:
                if sync == -1 or fired < sync:
                    sync, sync_to = fired, to
            elif columns[left, to] + 1 == value and (move == -1 or fired < move):
                move, move_to = fired, to
    if sync >= 0:
        return sync, sync_to, left - 1
    if left > 0 and columns[left - 1, state] + 1 == value:
        return -1, state, left - 1
    if move >= 0:
        return move, move_to, left
    return -2, state, left


@njit(cache=True, nogil=True)
def align_range(codes, offsets, order, begin, end, start, steps, costs, matched):  # type: ignore[no-untyped-def]
    """Costs, transition of each event (-1: log move) and model moves of the traces of a range.

    Traces are taken in `order[begin:end]`, which is that of their events read backwards. Returns
    the model moves: trace, number of the event before which it is, transition.
    """
    states, longest = len(steps.ahead), 0
    for place in range(begin, end):
        longest = max(longest, offsets[order[place] + 1] - offsets[order[place]])
    columns = np.empty((longest + 1, states), np.int32)
    columns[0] = steps.ahead
    queue = np.empty(states, np.int32)
    queued = np.zeros(states, np.bool_)
    stamps = np.zeros(states, np.int64)
    moves = np.empty((1024, 3), np.int32)
    done, before, stamp = 0, -1, 0
    for place in range(begin, end):
        trace = order[place]
        last, length = offsets[trace + 1], offsets[trace + 1] - offsets[trace]
        same = 0
        if before >= 0:
            ended = offsets[before + 1]
            most = min(length, ended - offsets[before])
            while same < most and codes[ended - 1 - same] == codes[last - 1 - same]:
                same += 1
        for depth in range(same + 1, length + 1):
            _column(columns[depth - 1], columns[depth], codes[last - depth], steps, queue, queued)
        before = trace
        costs[trace] = columns[length, start]
        state, left, fired = start, length, 0
        while True:
            stamp += 1
            code = codes[last - left] if left > 0 else -2
            fired, state, after = _step(columns, left, state, code, steps, queue, stamps, stamp)
            if fired == -2:
                break
            if after < left:
                matched[last - left] = fired
            else:
                if done == len(moves):
                    more = np.empty((2 * done, 3), np.int32)
                    more[:done] = moves
                    moves = more
                moves[done, 0], moves[done, 1], moves[done, 2] = trace, length - left + 1, fired
                done += 1
            left = after
    return moves[:done].copy()
