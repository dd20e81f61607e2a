"""The page of a pack that people read and print."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import polars as pl

from miner.conformance.deviations import deviations
from miner.conformance.evidence import page
from miner.conformance.evidence.population import sample
from miner.conformance.evidence.question import Answer, Made, Question
from miner.conformance.impact import Impact
from miner.conformance.sentences import sentence
from miner.eventlog.honesty import limitations
from miner.web_page import text

MOST_DRAWN = 1_000
_RULE = (
    "rule", "text", "severity", "judged_cases", "violating_cases", "violation_rate", "violations",
    "allowed", "pending", "not_judged",
)  # fmt: skip
_CHECK = (
    "manifest.json has the size and the SHA-256 of every file, chained one to the next; the last "
    "hash of the chain is the root. `procession evidence --verify FILE --root ROOT` tells whether "
    "a byte was changed, without a network. The chain alone shows a change only to somebody who "
    "has the root from elsewhere: whoever can write this file can write another with a root of "
    "its own. Texts in the CSV files that begin with = + - @ ' or a control character have an ' "
    "before them, so that no spreadsheet runs them."
)


def report_page(question: Question, made: Made, answer: Answer) -> str:
    """The whole pack on one page, which needs nothing but itself."""
    title = question.heading
    parts = [
        f"<h1>{text(title)}</h1>",
        f'<p class="note">{text(_basis(made, answer))}</p>',
        f'<p class="answer">{text(_in_short(answer))}</p>',
        _asked(question, made),
        _population(question, answer),
        _figures(answer),
        *_exceptions(answer),
        *_spread(answer),
        _rules(question, answer),
        _allowances(answer),
        _models(answer),
        _limits(answer),
        _drawn(question, answer),
        _basis_section(answer),
        page.section("How to check this pack", page.paragraph(_CHECK)),
    ]
    return page.page(title, parts)


def _basis(made: Made, answer: Answer) -> str:
    snapshot = answer.dataset["snapshot"]
    return (
        f"Made {made.at:%Y-%m-%d %H:%M:%S} UTC by {made.by} from data version "
        f"{snapshot['version']} of {snapshot['published_at'][:19].replace('T', ' ')} UTC. "
        "Times are UTC. A dash means unknown."
    )


def _in_short(answer: Answer) -> str:
    found = answer.conformance
    judged = answer.population.cases
    if not judged:
        return "No case could be judged."
    rate, accepted = found.conformance_rate or 0.0, found.accepted_rate or 0.0
    broken = sum(1 for each in answer.rules.results if each.violations)
    asked = len(answer.rules.results)
    rules = f" Rules broken: {broken} of {asked}." if asked else ""
    return (
        f"Of {judged:,} closed cases, {found.conforming_cases:,} ({100 * rate:.2f} %) ran as "
        f"modelled; {found.accepted_cases:,} ({100 * accepted:.2f} %) did or deviated "
        f"only where the allow-list accepts it.{rules}"
    )


def _asked(question: Question, made: Made) -> str:
    rules = question.rules
    facts = {
        "Process": question.process,
        "Held against": question.held_against,
        "Cases": str(question.condition),
        "Rules": f"{len(rules)} rules of rules.yaml" if rules else "none",
        "Sample": f"{question.sample:,} cases, seed {question.seed}" if question.sample else "none",
        "The pack before": made.previous_root or "none of this store",
    }
    return page.section("What was asked", page.facts(facts))


def _population(question: Question, answer: Answer) -> str:
    found = answer.population
    how = (
        "Every closed case that meets the filter is judged; nothing is extrapolated. Left out are "
        "cases that still run, cases of a version without a model, and cases whose best alignment "
        "was not found in the time: left_out.csv lists them. Rules are also asked of open cases."
    )
    counts = {
        "cases that meet the filter": found.selected,
        "still running": found.open,
        "without a model": found.unmodelled,
        "not aligned": found.unaligned,
        "judged": found.cases,
        "drawn for the sample": found.sampled,
    }
    every = page.paragraph("population.csv lists every judged case with what was found.")
    return page.section("Population", page.paragraph(how), page.figures(counts), every)


def _figures(answer: Answer) -> str:
    found = answer.conformance
    names = (
        "conforming_cases", "conformance_rate", "accepted_cases", "accepted_rate", "fitness",
        "log_fitness", "precision", "total_cost",
    )  # fmt: skip
    note = (
        "Before the allow-list, every deviation counts: conforming cases have none. After it, "
        "accepted cases have none but those on the allow-list."
    )
    return page.section(
        "Conformance",
        page.paragraph(note),
        page.figures({name: getattr(found, name) for name in names}),
        page.listed(found.notes, none="There is nothing to add about the models."),
    )


def _exceptions(answer: Answer) -> Iterable[str]:
    yield page.section(
        "Deviations",
        page.paragraph("Where one activity was done instead of another, both are counted."),
        page.table(answer.conformance.deviations, file="figures.json", most=50),
    )
    first = deviations(answer.held, limit=page.MOST_ROWS)
    said = [sentence(row) for row in first.iter_rows(named=True)]
    shown = first.select("case_id", "timestamp", "version", "allowed").with_columns(
        pl.Series("what", said, dtype=pl.String())
    )
    counts = answer.counts
    total = (
        f"{counts.all_found:,} exceptions in all, {counts.all_allowed:,} of them on the "
        "allow-list. exceptions.csv lists every one; below are the first from the models."
    )
    yield page.section("Exceptions", page.paragraph(total), page.table(shown))


def _spread(answer: Answer) -> Iterable[str]:
    found = answer.spread
    yield page.section("By version", page.table(found.versions), page.table(found.matrix, most=100))
    changed = "No change of the rate of conforming cases was found."
    if found.change.height:
        row = found.change.row(0, named=True)
        changed = (
            f"The rate of conforming cases changed most on {row['at']:%Y-%m-%d}, from "
            f"{100 * row['rate_before']:.1f} % to {100 * row['rate_after']:.1f} %."
        )
    yield page.section("By week", page.paragraph(changed), page.table(found.weeks, most=200))
    yield _impact(found.impact)
    note = "Going with deviations is not causing them. A lift is against all judged cases."
    yield page.section(
        "What goes with deviating", page.paragraph(note), page.table(found.causes, most=50)
    )


def _impact(found: Impact) -> str:
    times = (found.added_cycle_time, found.added_cycle_time_low, found.added_cycle_time_high)
    rates = (found.added_failure_rate, found.added_failure_rate_low, found.added_failure_rate_high)
    facts = {
        "Matched on": found.matched_on,
        "Deviating cases": found.deviating_cases,
        "Conforming cases": found.conforming_cases,
        "Deviating cases that have a like": found.matched_cases,
        "Added cycle time, mean": _with_interval([page.shown(each) for each in times]),
        "Added failure rate": _with_interval([page.shown(each, "rate") for each in rates]),
    }
    note = "Deviating against conforming cases that are alike; a difference is no proof of a cause."
    return page.section("Impact", page.paragraph(note), page.facts(facts))


def _with_interval(shown: Sequence[str]) -> str:
    value, low, high = shown
    return value if value == low else f"{value} (95 % interval: {low} to {high})"


def _rules(question: Question, answer: Answer) -> str:
    if question.rules is None:
        return page.section("Rules", page.paragraph("No rules were asked for."))
    counts = answer.counts
    allowed = pl.col("rule").replace_strict(counts.allowed, default=0, return_dtype=pl.Int64)
    frame = answer.rules.frame().with_columns(allowed=allowed)
    notes = [f"{each.rule}: {note}" for each in answer.rules.results for note in each.notes]
    return page.section(
        "Rules",
        page.table(frame.select(_RULE), most=1_000),
        page.listed(notes, none="Every activity that a rule names is in the log."),
    )


def _allowances(answer: Answer) -> str:
    return page.section("Allow-list", page.table(answer.allowances, file="allowances.csv", most=50))


def _models(answer: Answer) -> str:
    parts = []
    for each in answer.models:
        about = each.described()
        facts = {
            "Version": about["version"],
            "Format": about["format"],
            "File": about["file"],
            "SHA-256": about["sha256"],
            "Sound": about["sound"],
            "Names without an activity": ", ".join(about["unmatched"]) or "none",
            "Key": about["model"],
        }
        remarks = [remark.said for remark in each.workflow.remarks]
        drawn = f'<div class="drawn">{each.svg}</div>' if each.svg else ""
        parts += [page.facts(facts), page.listed(remarks, none="It was translated exactly."), drawn]
    return page.section("Models", *parts)


def _limits(answer: Answer) -> str:
    found = limitations(answer.held.log)
    lines = [f"{row['text']} ({row['source']})" for row in found.iter_rows(named=True)]
    if answer.audit_broken_at is not None:
        lines.append(
            f"The audit trail was changed: its line {answer.audit_broken_at} does not follow from "
            "the one before."
        )
    return page.section(
        "Limits of the data", page.listed(lines, none="The loads reported nothing missing.")
    )


def _drawn(question: Question, answer: Answer) -> str:
    if not question.sample:
        return page.section("Sample", page.paragraph("No sample was drawn."))
    how = (
        "A simple random sample without replacement: the cases in the order of the SHA-256 of "
        f"the seed {question.seed}, the character U+001F and the case id, in UTF-8; the first "
        f"{answer.population.sampled:,} of them. sample.csv lists them, sample_events.csv what "
        "was done in them."
    )
    frame = sample(answer.held)
    return page.section(
        "Sample", page.paragraph(how), page.table(frame, file="sample.csv", most=MOST_DRAWN)
    )


def _basis_section(answer: Answer) -> str:
    data: dict[str, Any] = dict(answer.dataset)
    loads = data.pop("loads")
    snapshot = data.pop("snapshot")
    facts = {
        **data,
        "snapshot": f"{snapshot['file']}, SHA-256 {snapshot['sha256']}",
        **answer.environment["packages"],
        "python": answer.environment["python"],
        "store format": answer.environment["store_format"],
    }
    return page.section(
        "Data and programs",
        page.facts({name.replace("_", " "): value for name, value in facts.items()}),
        page.paragraph("The loads that the events came with:"),
        page.table(pl.DataFrame(loads, infer_schema_length=None), file="dataset.json"),
    )
