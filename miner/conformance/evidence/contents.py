"""The files of a pack, each with what writes it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from miner.conformance.allowances import ALLOWANCES
from miner.conformance.evidence import population as cases
from miner.conformance.evidence.archive import Sink
from miner.conformance.evidence.cells import write_csv
from miner.conformance.evidence.dataset import flags
from miner.conformance.evidence.exceptions import EXCEPTIONS, exceptions
from miner.conformance.evidence.moves import TRACE_MOVES, trace_moves
from miner.conformance.evidence.question import Answer, Made, Question
from miner.conformance.evidence.report import report_page
from miner.output import plain

Write = Callable[[Sink], object]


def contents(
    question: Question, made: Made, answer: Answer, audit_trail: bytes
) -> Mapping[str, Write]:
    """What writes each file of a pack, by name, in the order in which they have to be written."""
    held = answer.held
    files: dict[str, Write] = {
        "alignments.csv": lambda sink: write_csv(sink, trace_moves(held), TRACE_MOVES),
        "allowances.csv": lambda sink: write_csv(sink, [answer.allowances], ALLOWANCES),
        "audit.jsonl": lambda sink: sink.write(audit_trail),
        "dataset.json": partial(_json, content=answer.dataset),
        "environment.json": partial(_json, content=answer.environment),
        "exceptions.csv": lambda sink: write_csv(
            sink, exceptions(held, question.rules, answer.counts), EXCEPTIONS
        ),
        "figures.json": lambda sink: _json(sink, content=figures(answer)),
        "filter.json": partial(_json, content=_filter(question)),
        "left_out.csv": lambda sink: write_csv(sink, cases.left_out(held), cases.LEFT_OUT),
        "model/models.json": partial(_json, content=[each.described() for each in answer.models]),
        "population.csv": lambda sink: write_csv(sink, cases.population(held), cases.POPULATION),
        # Needs the counts of the exceptions, which are written before.
        "report.html": lambda sink: _text(sink, report_page(question, made, answer)),
    }
    for each in answer.models:
        files[each.file] = partial(_text, content=each.workflow.model.source_text)
        if each.picture and each.svg:
            files[each.picture] = partial(_text, content=each.svg)
    if question.rules is not None:
        files["rules.yaml"] = partial(_text, content=question.rules.text)
    if question.sample:
        files["sample.csv"] = lambda sink: write_csv(sink, [cases.sample(held)], cases.SAMPLE)
        files["sample_events.csv"] = lambda sink: write_csv(
            sink, cases.sample_events(held), cases.SAMPLE_EVENTS
        )
    return dict(sorted(files.items()))


def figures(answer: Answer) -> dict[str, Any]:
    """The figures as `procession conform` gives them, and all that the page of the pack has."""
    rules = [
        {**plain(each), "allowed": answer.counts.allowed.get(each.rule)}
        for each in answer.rules.results
    ]
    return {
        "conformance": plain(answer.conformance),
        "population": plain(answer.population),
        **plain(answer.spread),
        "rules": rules,
    }


def _filter(question: Question) -> dict[str, Any]:
    return {
        "text": str(question.condition),
        "conditions": json.loads(question.condition.to_json()),
        "flags": flags(question.condition),
        "held_against": question.held_against,
        "sample": question.sample,
        "seed": question.seed if question.sample else None,
    }


def _json(sink: Sink, *, content: Any) -> None:
    rounded = _rounded(content)
    _text(sink, json.dumps(rounded, ensure_ascii=False, allow_nan=False, indent=1) + "\n")


def _rounded(content: Any) -> Any:
    """Engines add up in any order: beyond twelve digits a figure is not the same twice."""
    if isinstance(content, float):
        return float(f"{content:.12g}")
    if isinstance(content, dict):
        return {key: _rounded(value) for key, value in content.items()}
    return [_rounded(each) for each in content] if isinstance(content, list | tuple) else content


def _text(sink: Sink, content: str) -> None:
    # A name that no encoding can hold is shown as one that cannot be read.
    sink.write(content.encode("utf-8", errors="replace"))
