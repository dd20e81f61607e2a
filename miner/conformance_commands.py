"""The commands that hold what happened against what was modelled."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from miner.cli import (
    Command,
    emit,
    filter_options,
    format_option,
    given_filter,
    process_argument,
    say,
    store_option,
)
from miner.errors import InputError

if TYPE_CHECKING:
    from miner.conformance.workflows import Workflows
    from miner.eventlog.log import EventLog
    from miner.eventlog.store import EventStore

_FILE = click.Path(path_type=Path, dir_okay=False)


@click.group()
def model() -> None:
    """Modelled workflows: add one, see what its names mean."""


@model.command()
@process_argument
@click.argument("file", type=_FILE)
@click.option("--version", metavar="V", help="The version that cases ran on.")
@click.option("--valid-from", metavar="TIME", help="Since when it is the valid one.")
@store_option
@format_option
def add(
    process: str, file: Path, version: str | None, valid_from: str | None, store: EventStore,
    form: str,
) -> None:  # fmt: skip
    """Keep a modelled workflow of a process: BPMN, PNML, ASL, DECLARE, ..."""
    from miner.conformance.workflows import of_file
    from miner.eventlog.definitions import Definition
    from miner.eventlog.filter_values import moment

    log = store.log(process)
    (workflow,) = of_file(log, file).workflows
    since = None if valid_from is None else moment(valid_from)
    definition = Definition(
        process,
        version,
        workflow.model.source_format,
        workflow.model.source_text,
        since,
        file.name,
    )
    with store.write(on_repair=say) as writer:
        new = writer.define([definition], source="file", process=process)
    if workflow.soundness.sound is False:
        say(f"The model is not sound: {workflow.soundness.reason}")
    for remark in workflow.remarks:
        say(remark.said)
    for label in workflow.unmatched:
        say(f"No activity of the log is called {label!r}.")
    emit(
        {
            "process": process,
            "version": version,
            "format": workflow.model.source_format,
            "sha256": definition.sha256,
            "new": bool(new),
            "activities": workflow.names.height,
            "unmatched": list(workflow.unmatched),
            "sound": workflow.soundness.sound,
            "remarks": [remark.said for remark in workflow.remarks],
        },
        form,
    )


@model.command()
@process_argument
@click.option("--version", metavar="V", help="Of this version [the newest].")
@store_option
@format_option
def names(process: str, version: str | None, store: EventStore, form: str) -> None:
    """Which activity of the log each name in the model means, and how that is known."""
    from miner.conformance.workflows import of_version

    (workflow,) = of_version(store.log(process), version).workflows
    emit(workflow.names, form)


@model.command(name="name")
@process_argument
@click.argument("label")
@click.argument("activity")
@store_option
@format_option
def confirm(process: str, label: str, activity: str, store: EventStore, form: str) -> None:
    """Say that LABEL in the models means ACTIVITY of the log."""
    from miner.conformance.workflows import confirm_name

    confirm_name(store, process, label, activity)
    emit({"process": process, "label": label, "activity": activity}, form)


def model_options(command: Command) -> Command:
    """Which model cases are held against, and the filters beside it."""
    command = filter_options(command, without=("version", "case"))
    for option in (
        click.option("--newest", is_flag=True, help="All cases against the newest version."),
        click.option("--version", metavar="V", help="All cases against this version."),
        click.option("--model", "file", type=_FILE, metavar="FILE", help="Against this file."),
    ):
        command = option(command)
    return command


@click.command()
@process_argument
@click.option("--case", "case_id", metavar="CASE_ID", help="One case, move by move.")
@click.option(
    "--fail-below", type=click.FloatRange(0, 1), metavar="FITNESS",
    help="Exit code 1 when fitness is below this.",
)  # fmt: skip
@click.option("--by-version", is_flag=True, help="Rows of version and deviation instead.")
@click.option("--by-week", is_flag=True, help="Rows of week and version instead.")
@model_options
@store_option
@format_option
@click.pass_context
def conform(
    context: click.Context, process: str, file: Path | None, version: str | None, newest: bool,
    case_id: str | None, fail_below: float | None, by_version: bool, by_week: bool,
    store: EventStore, form: str,
) -> None:  # fmt: skip
    """Hold cases against the version they ran on, or against one model."""
    from miner.conformance import conform as conformance
    from miner.conformance import over_time
    from miner.conformance.held import hold
    from miner.conformance.one_case import align_case
    from miner.progress import Progress

    log = store.log(process, given_filter())
    workflows = given_workflows(log, file, version, newest)
    if case_id is not None:
        emit(align_case(log, workflows, case_id), form)
        return
    with Progress("Aligning") as progress:
        held = hold(log, workflows, store=store, progress=lambda share: progress("Aligning", share))
    if by_version or by_week:
        over = over_time.deviation_matrix if by_version else over_time.conformance_over_time
        emit(over(held), form)
        return
    found = conformance.conformance(held)
    emit(found, form)
    if fail_below is not None and (found.fitness is None or found.fitness < fail_below):
        say(f"procession: Fitness {_shown(found.fitness)} is below {fail_below}.")
        context.exit(1)


@click.command()
@process_argument
@click.option("--kind", metavar="KIND", help="Only this kind: skipped, extra, swapped, ...")
@click.option("--of", "activity", metavar="ACTIVITY", help="Only at this activity.")
@click.option("--limit", default=100, show_default=True, type=click.IntRange(min=1), metavar="N")
@click.option("--offset", default=0, type=click.IntRange(min=0), metavar="N", help="Leave out N.")
@model_options
@store_option
@format_option
def deviations(
    process: str, file: Path | None, version: str | None, newest: bool, kind: str | None,
    activity: str | None, limit: int, offset: int, store: EventStore, form: str,
) -> None:  # fmt: skip
    """Each deviation of each case from its model, with a sentence."""
    import polars as pl

    from miner.conformance.deviations import deviations as found_deviations
    from miner.conformance.held import hold
    from miner.conformance.sentences import sentence

    log = store.log(process, given_filter())
    held = hold(log, given_workflows(log, file, version, newest), store=store)
    rows = found_deviations(held, kind=kind, activity=activity, limit=limit, offset=offset)
    said = [sentence(row) for row in rows.iter_rows(named=True)]
    emit(rows.with_columns(pl.Series("sentence", said, dtype=pl.String())), form)


@click.command()
@process_argument
@click.option("--kind", metavar="KIND", help="The kind of deviation: skipped, extra, ...")
@click.option("--of", "activity", metavar="ACTIVITY", help="Only at this activity.")
@click.option("--rule", metavar="NAME", help="Only what violates this rule.")
@click.option("--in-version", "version", metavar="V", help="Only in cases of this version.")
@click.option("--where", metavar="KEY=VALUE", help="Only in cases with this attribute.")
@click.option("--reason", required=True, help="Why it is accepted.")
@click.option("--owner", required=True, help="Who answers for it.")
@click.option("--approver", required=True, help="Who accepted it; not the owner.")
@click.option("--until", required=True, metavar="TIME", help="From then on it counts again.")
@store_option
@format_option
def allow(
    process: str, kind: str | None, activity: str | None, rule: str | None, version: str | None,
    where: str | None, reason: str, owner: str, approver: str, until: str, store: EventStore,
    form: str,
) -> None:  # fmt: skip
    """Accept a kind of deviation for a time."""
    from miner.conformance import allowances
    from miner.eventlog.filter_values import assignment

    scope = {} if where is None else assignment(where)
    number = allowances.allow(
        store,
        process,
        allowances.Allowance(
            kind, activity, reason, owner, approver, _moment(until), rule=rule, version=version,
            attribute=scope.get("key"), attribute_value=scope.get("value"),
        ),
    )  # fmt: skip
    emit({"process": process, "allowance_id": number}, form)


@click.command(name="allowances")
@process_argument
@store_option
@format_option
def list_allowances(process: str, store: EventStore, form: str) -> None:
    """The deviations that were accepted, also those that count again."""
    from miner.conformance.allowances import allowances

    emit(allowances(store.log(process)), form)


@click.command()
@process_argument
@click.argument("allowance_id", type=int)
@click.option("--reason", required=True, help="Why it is not accepted any more.")
@store_option
@format_option
def withdraw(process: str, allowance_id: int, reason: str, store: EventStore, form: str) -> None:
    """End an allowance before its day."""
    from miner.conformance import allowances

    allowances.withdraw(store, process, allowance_id, reason=reason)
    emit({"process": process, "allowance_id": allowance_id, "withdrawn": True}, form)


def given_workflows(
    log: EventLog, file: Path | None, version: str | None, newest: bool
) -> Workflows:
    """The workflows that `model_options` ask for; InputError for more than one choice."""
    from miner.conformance import workflows

    if sum((file is not None, version is not None, newest)) > 1:
        raise InputError("Give one of --model, --version and --newest, not several.")
    if file is not None:
        return workflows.of_file(log, file)
    if version is not None or newest:
        return workflows.of_version(log, version)
    return workflows.own_versions(log)


def _moment(text: str) -> datetime:
    from miner.eventlog.filter_values import end_of

    found: datetime = end_of(text)["value"]
    return found


def _shown(fitness: float | None) -> str:
    return "is not known and so" if fitness is None else f"{fitness:.4f}"
