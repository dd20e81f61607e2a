"""Definitions of state machines for tests: short to write, and random ones."""

from __future__ import annotations

import random
from typing import Any


def body(**states: Any) -> dict[str, Any]:
    """States one after the other: a word is the type, a mapping adds fields to a Pass state."""
    found, names = {}, list(states)
    for name, following in zip(names, [*names[1:], None], strict=True):
        given = {"Type": states[name]} if isinstance(states[name], str) else states[name]
        state = {"Type": "Pass", **given}
        if state["Type"] not in ("Choice", "Succeed", "Fail") and not {"Next", "End"} & set(state):
            state |= {"Next": following} if following else {"End": True}
        found[name] = state
    return {"StartAt": names[0], "States": found}


def parallel(*branches: Any, **more: Any) -> dict[str, Any]:
    return {"Type": "Parallel", "Branches": list(branches), **more}


def mapped(processor: Any, **more: Any) -> dict[str, Any]:
    return {"Type": "Map", "ItemProcessor": processor, **more}


class Making:
    """Random definitions that moto can run; every error in them is one of a Fail state.

    Only blocks with nothing beside them fail: moto does not stop the sisters of what failed.
    """

    def __init__(self, seed: int) -> None:
        self.random, self.names = random.Random(seed), 0

    def name(self) -> str:
        self.names += 1
        return f"s{self.names}"

    def body(self, depth: int, alone: bool = True) -> dict[str, Any]:
        names = [self.name() for _ in range(self.random.randint(1, 3))]
        states: dict[str, Any] = {}
        for name, following in zip(names, [*names[1:], None], strict=True):
            states |= self.state(name, following, depth, alone)
        return {"StartAt": names[0], "States": states}

    def state(self, name: str, following: str | None, depth: int, alone: bool) -> dict[str, Any]:
        on: dict[str, Any] = {"Next": following} if following else {"End": True}
        kind = self.random.choice(["Pass", "Choice", "Parallel", "Map", "Fail"])
        if kind == "Fail" and following is None and alone:
            return {name: {"Type": "Fail", "Error": "Mine", "Cause": "it does"}}
        if kind == "Choice" and following:
            present = {"Variable": "$.items", "IsPresent": self.random.random() < 0.5}
            other = self.name()
            return {
                name: {"Type": "Choice", "Choices": [{**present, "Next": other}],
                       "Default": following},
                other: {"Type": "Pass", **on},
            }  # fmt: skip
        if kind in ("Pass", "Choice", "Fail") or not depth:
            return {name: {"Type": "Pass", **on}}
        more: dict[str, Any] = {"ResultPath": None, **on}
        handler: dict[str, Any] = {}
        if self.random.random() < 0.4:
            helper = self.name()
            handler = {helper: {"Type": "Pass", **on}}
            more["Catch"] = [{"ErrorEquals": ["States.ALL"], "ResultPath": None, "Next": helper}]
        if kind == "Parallel":
            number = self.random.randint(1, 3)
            branches = [self.body(depth - 1, alone and number == 1) for _ in range(number)]
            return {name: parallel(*branches, **more), **handler}
        one = self.random.random() < 0.5
        more |= {"MaxConcurrency": 1} if one else {}
        more |= {"ItemsPath": "$.items", "ItemSelector": {"items": [1, 2]}}
        return {name: mapped(self.body(depth - 1, alone and one), **more), **handler}
