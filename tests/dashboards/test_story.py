"""The story of a case."""

from __future__ import annotations

from dashboards.story import story
from miner import case
from tests.logs import log_of


def told(trace: str, **others: str) -> str:
    return " ".join(story(case(log_of({"c": trace, **others}), "c")))


def test_a_case_has_a_beginning_and_an_end() -> None:
    text = told("A@0-1 B@5-9", d="A@0-1 B@5-9", e="A@0-1 B@5-9")
    assert "began on 5 Jan 2026, 08:00 UTC with A and ended 9 min later with B." in text
    assert "It has 2 activity instances; 2 other cases took the same way." in text
    assert "The longest wait was 4 min before B. The longest work was 4 min on B." in text


def test_an_open_case_has_no_end() -> None:
    text = told("A@0-1 B@5-")
    assert "is still open; its last event was 5 min later" in text
    assert "no other case took this way" in text


def test_failures_are_told_with_how_they_ended() -> None:
    assert "A failed twice and succeeded in the end." in told("A@0-1! A@2-3! A@4-5")
    assert "A failed once and never succeeded." in told("A@0-1!")


def test_work_done_again_is_rework_and_a_new_attempt_is_not() -> None:
    assert "A was done again once, which is rework." in told("A@0-1 A@2-3")
    assert "rework" not in told("A@0-1! A@2-3")


def test_people_and_systems_are_counted_apart() -> None:
    text = told("A@0-1(ann:human) B@2-3(bob:human) C@4-5(bot:system) D@6-7(x)")
    assert "It was worked on by 2 people and 1 system and 1 resource." in text


def test_nothing_known_of_times_or_resources_is_not_told() -> None:
    text = told("A@0 B@5")
    assert "longest" not in text
    assert "worked on" not in text
