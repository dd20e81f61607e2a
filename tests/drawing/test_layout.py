from __future__ import annotations

import asyncio
import hashlib
import math
import random
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from miner.drawing.flow_order import flow_order
from miner.drawing.graphviz import Graphviz
from miner.drawing.layout import Box, Layout, Link, layout

HOSTILE = ['"', "a\nb", "<b>", "\x00\x1b", "😀", "\\N", "x" * 5_000, "}; digraph {", "", "é%s"]


def boxes(names: list[str]) -> list[Box]:
    return [Box(name, 100, 40) for name in names]


def dense(seed: int, nodes: int, links: int) -> tuple[list[Box], list[Link]]:
    chance = random.Random(seed)
    found = boxes([str(number) for number in range(nodes)])
    pairs = [
        Link(str(chance.randrange(nodes)), str(chance.randrange(nodes)), chance.randrange(1, 99))
        for _ in range(links)
    ]
    return found, pairs


def check(found: Layout, placed: list[Box], links: list[Link]) -> None:
    """What holds of every layout: all inside, no two boxes overlap, links join their boxes."""
    assert set(found.centres) == {box.id for box in placed}
    assert len(found.courses) == len(links)
    for box in placed:
        x, y = found.centres[box.id]
        assert box.width / 2 - 1 <= x <= found.width - box.width / 2 + 1
        assert box.height / 2 - 1 <= y <= found.height - box.height / 2 + 1
    for number, one in enumerate(placed):
        for other in placed[number + 1 :]:
            (x1, y1), (x2, y2) = found.centres[one.id], found.centres[other.id]
            apart_x = abs(x1 - x2) - (one.width + other.width) / 2
            apart_y = abs(y1 - y2) - (one.height + other.height) / 2
            assert max(apart_x, apart_y) > 0
    size = {box.id: box for box in placed}
    for link, course in zip(links, found.courses, strict=True):
        assert len(course.points) % 3 == 1
        for end, point in ((link.source, course.points[0]), (link.target, course.points[-1])):
            x, y = found.centres[end]
            assert abs(point[0] - x) <= size[end].width / 2 + 2
            assert abs(point[1] - y) <= size[end].height / 2 + 2


@pytest.mark.parametrize("direction", ["TB", "LR"])
@pytest.mark.parametrize(("timeout", "engine"), [(10, "dot"), (0, "layered")])
def test_parallel_links_loops_and_all_kinds_of_boxes_are_placed(
    direction: str, timeout: float, engine: str
) -> None:
    placed = [Box("s", 24, 24, "start"), *boxes(["a", "b"]), Box("x", 40, 40, "gateway"),
              Box("e", 24, 24, "end")]  # fmt: skip
    links = [
        Link("s", "a"), Link("a", "x", 3, "3"), Link("a", "x", 2, "two"), Link("x", "a", 1, "back"),
        Link("b", "b", 9, "12,345", thickness=4), Link("x", "b"), Link("b", "e"),
    ]  # fmt: skip
    found = layout(placed, links, direction=direction, timeout=timeout)  # type: ignore[arg-type]
    assert found.engine == engine
    assert bool(found.note) == (engine == "layered")
    check(found, placed, links)
    assert [course.against_flow for course in found.courses] == [False] * 3 + [True] + [False] * 3
    axis = 0 if direction == "LR" else 1
    first, last = found.centres["s"][axis], found.centres["e"][axis]
    assert all(first < found.centres[name][axis] < last for name in "abx")
    parallel = {course.points for course in found.courses[1:3]}
    assert len(parallel) == 2


@pytest.mark.parametrize("timeout", [10, 0])
@pytest.mark.parametrize("seed", range(3))
def test_boxes_never_overlap(seed: int, timeout: float) -> None:
    placed, links = dense(seed, 15, 40)
    check(layout(placed, links, timeout=timeout), placed, links)


def test_names_may_hold_anything() -> None:
    links = [Link(a, b, 1, a) for a, b in pairwise(HOSTILE)]
    found = layout(boxes(HOSTILE), links)
    assert found.engine == "dot"
    plain = [str(number) for number in range(len(HOSTILE))]
    same = [Link(a, b, 1, link.label) for a, b, link in zip(plain, plain[1:], links, strict=False)]
    assert list(layout(boxes(plain), same).centres.values()) == list(found.centres.values())


@settings(max_examples=15, deadline=None)
@given(st.lists(st.text(max_size=20), unique=True, min_size=1, max_size=6))
def test_any_text_is_a_name(names: list[str]) -> None:
    links = [Link(names[0], name, 1, name) for name in names]
    check(layout(boxes(names), links), boxes(names), links)


def test_the_main_flow_runs_forward_and_the_rest_against_it() -> None:
    links = [Link("c", "a", 2), Link("a", "b", 9), Link("b", "c", 9), Link("b", "a", 1)]
    found = layout(boxes(["c", "b", "a"]), links)
    assert [course.against_flow for course in found.courses] == [True, False, False, True]
    heights = [found.centres[name][1] for name in "abc"]
    assert heights == sorted(heights)


def test_the_same_graph_gives_the_same_layout() -> None:
    placed, links = dense(5, 20, 50)
    assert layout(placed, links) == layout(placed, links)


def test_no_box_gives_an_empty_layout() -> None:
    assert layout([], []) == Layout(0, 0, {}, (), "dot")


def test_wrong_graphs_are_refused() -> None:
    with pytest.raises(ValueError, match="same id"):
        layout(boxes(["a", "a"]), [])
    with pytest.raises(ValueError, match="not there: 'b'"):
        layout(boxes(["a"]), [Link("a", "b")])


def test_a_layout_that_takes_too_long_is_replaced_and_the_next_one_works() -> None:
    placed, links = dense(1, 100, 1_400)
    began = time.monotonic()
    found = layout(placed, links, timeout=0.5)
    assert time.monotonic() - began < 3
    assert (found.engine, found.note) == ("layered", "the layout took too long")
    check(found, placed, links)
    assert layout(boxes(["a"]), []).engine == "dot"


def test_a_graph_too_large_for_dot_is_placed_at_once() -> None:
    found = layout(*dense(2, 3_000, 6_000))
    assert found.engine == "layered"
    assert found.note.startswith("too large")


def test_graphviz_is_stopped_when_it_asks_for_too_much_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("miner.drawing.graphviz.GRAPH_BYTES", 17 * 1024**2)
    nodes = ";".join(str(number) for number in range(60_000))
    engine = Graphviz()
    with pytest.raises(RuntimeError):
        engine.placed(f"digraph{{{nodes}}}", timeout=60)
    assert engine.placed("digraph{a->b}", timeout=10)["objects"]


def test_threads_take_turns() -> None:
    placed, links = dense(3, 15, 40)
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda _: layout(placed, links), range(8)))
    assert {one.engine for one in found} == {"dot"}
    assert all(one == found[0] for one in found)


def test_it_works_inside_a_running_event_loop() -> None:
    async def inside() -> Layout:
        engine = Graphviz()  # as in a server or a notebook, where the first call comes from a loop
        assert engine.placed("digraph{a->b}", timeout=10)["objects"]
        return layout(boxes(["a", "b"]), [Link("a", "b")])

    # in a thread of its own, because other tests may leave a loop running in this one
    with ThreadPoolExecutor(1) as thread:
        assert thread.submit(asyncio.run, inside()).result().engine == "dot"


def test_the_engine_starts_and_lays_out_fast() -> None:
    began = time.monotonic()
    Graphviz().placed("digraph{a->b}", timeout=10)
    assert time.monotonic() - began < 1.5
    # as connected as a simplified map: each box leads on, one in three leads back
    names = [str(number) for number in range(30)]
    links = [Link(a, b, 5) for a, b in pairwise(names)]
    links += [Link(names[n * 3 + 2], names[n * 3], 1) for n in range(10)]
    links += [Link(names[n], names[n + 5], 2) for n in range(0, 21)]
    began = time.monotonic()
    assert layout(boxes(names), links).engine == "dot"
    assert time.monotonic() - began < 0.5


def test_importing_the_drawing_loads_nothing_heavy() -> None:
    heavy = ("py_mini_racer", "resvg_py", "matplotlib", "numpy", "pandas", "pm4py")
    code = (
        "import sys, miner.drawing.process_map, miner.drawing.layout;"
        f"print([m for m in {heavy!r} if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5), st.integers(1, 20)), max_size=15))
def test_no_single_move_makes_more_flow_run_forward(arcs: list[tuple[int, int, float]]) -> None:
    def forward(order: list[int]) -> float:
        place = {node: number for number, node in enumerate(order)}
        return math.fsum(w for a, b, w in arcs if place[a] < place[b])

    found = flow_order(6, arcs)
    assert sorted(found) == list(range(6))
    for node in range(6):
        rest = [other for other in found if other != node]
        for at in range(6):
            assert forward([*rest[:at], node, *rest[at:]]) <= forward(found) + 1e-6


def test_the_engine_is_the_one_its_version_file_names() -> None:
    vendor = files("miner.drawing").joinpath("vendor")
    stated = re.search(r"sha256: +(\w+)", vendor.joinpath("VERSION.txt").read_text("utf-8"))
    assert stated is not None
    assert hashlib.sha256(vendor.joinpath("viz-global.js").read_bytes()).hexdigest() == stated[1]
