"""The result of a check, for people, for later checks, and for build servers."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree

import polars as pl

from miner.conformance.contract_check import Check, CheckResult, shown
from miner.conformance.rules.parsing import file_text
from miner.errors import InputError
from miner.model.xml_text import allowed, document

FORMAT = 1
"""Version of the file that a later check compares with."""

CHECKS = pl.Schema(
    {
        "check": pl.String(),
        "outcome": pl.String(),
        "value": pl.Float64(),
        "limit": pl.Float64(),
        "unit": pl.String(),
        "cases": pl.Int64(),
        "before": pl.Float64(),
        "change": pl.String(),
        "message": pl.String(),
    }
)


@dataclass(frozen=True)
class Change:
    """How a figure stands to what it was."""

    before: float | None
    word: str
    """better, worse, same, new, gone or unknown."""


def saved(result: CheckResult) -> str:
    """The result as JSON that `baseline_of` reads."""
    checks = [asdict(check) for check in result.checks]
    whole = {
        "format": FORMAT,
        "contract": result.contract,
        "process": result.process,
        "outcome": result.outcome,
        "checks": checks,
    }
    return json.dumps(whole, ensure_ascii=False, indent=2) + "\n"


def baseline_of(path: Path) -> dict[str, float | None]:
    """The figures of an earlier result by name of check; InputError for another file."""
    try:
        whole = json.loads(file_text(path))
        if whole["format"] != FORMAT:
            raise ValueError
        return {
            str(check["name"]): None if check["value"] is None else float(check["value"])
            for check in whole["checks"]
        }
    except (ValueError, TypeError, KeyError, RecursionError):
        raise InputError(
            f"{path} is no result of an earlier check.",
            hint="Write one with `procession check FILE --save RESULT.json`.",
        ) from None


def changes(result: CheckResult, before: dict[str, float | None]) -> dict[str, Change]:
    """What became better or worse, by name of check; checks that are no more are gone."""
    found = {check.name: _change(check, before) for check in result.checks}
    gone = {name: Change(value, "gone") for name, value in before.items() if name not in found}
    return found | gone


def _change(check: Check, before: dict[str, float | None]) -> Change:
    if check.name not in before:
        return Change(None, "new")
    value = before[check.name]
    if value is None or check.value is None:
        return Change(value, "same" if value == check.value else "unknown")
    if value == check.value:
        return Change(value, "same")
    return Change(value, "better" if (check.value < value) == check.at_most else "worse")


def frame(result: CheckResult, compared: dict[str, Change]) -> pl.DataFrame:
    """Returns `CHECKS` in the order of the contract, what is gone at the end."""
    rows: list[tuple[object, ...]] = []
    for check in result.checks:
        change = compared.get(check.name)
        rows.append(
            (
                check.name, check.outcome, check.value, check.limit, check.unit, check.cases,
                change.before if change else None, change.word if change else None, check.message,
            )
        )  # fmt: skip
    rows += [
        (name, "gone", None, None, None, None, change.before, change.word, "")
        for name, change in compared.items()
        if change.word == "gone"
    ]
    return pl.DataFrame(rows, schema=CHECKS, orient="row")


def table(result: CheckResult, compared: dict[str, Change]) -> pl.DataFrame:
    """The same for people: figures as texts with their units."""
    rows = []
    for check in result.checks:
        sign = "≤" if check.at_most else "≥"
        row = {
            "check": check.name,
            "outcome": check.outcome,
            "value": shown(check.value, check.unit),
            "limit": f"{sign} {shown(check.limit, check.unit)}",
            "cases": check.cases,
        }
        change = compared.get(check.name)
        if change:
            row |= {"before": shown(change.before, check.unit), "change": change.word}
        rows.append(row)
    return pl.DataFrame(rows)


def junit(result: CheckResult, *, undecided_passes: bool, seconds: float) -> str:
    """The result as JUnit XML: a test case per check, skipped where undecided passes."""
    failing = ("failed",) if undecided_passes else ("failed", "undecided")
    checks = result.checks
    failures = sum(check.outcome in failing for check in checks)
    skipped = sum(undecided_passes and check.outcome == "undecided" for check in checks)
    counts = {
        "tests": str(len(checks)),
        "failures": str(failures),
        "errors": "0",
        "time": f"{seconds:.3f}",
    }
    root = ElementTree.Element("testsuites")  # attributes here would break Ant's schema
    suite = ElementTree.SubElement(
        root,
        "testsuite",
        counts
        | {
            "name": allowed(result.contract),
            "skipped": str(skipped),
            "timestamp": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S"),
            "hostname": "localhost",
            "id": "0",
            "package": allowed(result.process),
        },
    )
    properties = ElementTree.SubElement(suite, "properties")
    ElementTree.SubElement(properties, "property", name="process", value=allowed(result.process))
    for check in checks:
        place = f"{allowed(result.contract)}.{allowed(result.process)}"
        case = ElementTree.SubElement(
            suite, "testcase", name=allowed(check.name), classname=place, time="0"
        )
        message = allowed(check.message)
        if check.outcome in failing:
            kind = {"message": message, "type": check.outcome}
            ElementTree.SubElement(case, "failure", kind).text = message
        elif check.outcome == "undecided":
            ElementTree.SubElement(case, "skipped", message=message)
    ElementTree.SubElement(suite, "system-out").text = allowed("\n".join(result.notes))
    ElementTree.SubElement(suite, "system-err")
    return document(root)
