"""The command that hands an answer to an auditor, and the one that checks it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from miner.cli import emit, format_option, given_filter, say, store_option
from miner.conformance_commands import given_workflows, model_options
from miner.errors import InputError

if TYPE_CHECKING:
    from miner.eventlog.store import EventStore

_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command()
@click.argument("process", required=False)
@click.option("--out", metavar="FILE.zip", type=_FILE, help="File to write.")
@click.option("--rules", metavar="FILE", type=_FILE, help="Rules to ask beside the model.")
@click.option(
    "--sample", type=click.IntRange(min=1), metavar="N", help="Draw N cases to look at closely."
)
@click.option("--seed", default=0, show_default=True, metavar="S", help="Of the sample.")
@click.option("--title", metavar="TEXT", help="Title of the report.")
@click.option("--at", metavar="TIME", help="The time that the pack states as its own [now].")
@click.option("--verify", "pack", metavar="FILE", type=_FILE, help="Check a pack instead.")
@click.option("--root", metavar="HASH", help="With --verify: the root that was kept.")
@model_options
@store_option
@format_option
@click.pass_context
def evidence(
    context: click.Context, process: str | None, out: Path | None, rules: Path | None,
    sample: int | None, seed: int, title: str | None, at: str | None, pack: Path | None,
    root: str | None, file: Path | None, version: str | None, newest: bool, store: EventStore,
    form: str,
) -> None:  # fmt: skip
    """Write one file with all that an auditor needs, or --verify one."""
    if pack is not None:
        _verify(context, pack, root, form)
        return
    if process is None or out is None:
        raise InputError(
            "Evidence of which process, and where to?",
            hint="Write `procession evidence PROCESS --out FILE.zip`, or `--verify FILE`.",
        )
    if out.suffix.lower() != ".zip":
        raise InputError(f"{out.name!r} is no zip file.", hint="Let the name end in .zip.")
    from miner.conformance.evidence.pack import write_pack
    from miner.conformance.evidence.question import Question
    from miner.conformance.rules.parsing import read_rules
    from miner.eventlog.filter_values import moment
    from miner.progress import Progress

    question = Question(
        process,
        _words(file, version, newest),
        given_filter(),
        None if rules is None else read_rules(rules),
        title,
        sample or 0,
        seed,
    )
    with Progress("Aligning") as progress:
        written = write_pack(
            store,
            question,
            lambda log: given_workflows(log, file, version, newest),
            out,
            at=None if at is None else moment(at),
            progress=lambda share: progress("Aligning", share),
        )
    emit(written, form)


def _verify(context: click.Context, pack: Path, root: str | None, form: str) -> None:
    from miner.conformance.evidence.verification import verify

    verdict = verify(pack, root=root)
    emit(verdict, form)
    if not verdict.whole:
        first = verdict.findings.row(0, named=True)
        where = f"{first['file']}: " if first["file"] else ""
        say(f"procession: {pack.name} is not the pack that was written. {where}{first['finding']}")
        context.exit(1)


def _words(file: Path | None, version: str | None, newest: bool) -> str:
    if file is not None:
        return f"all cases against the model {file.name}"
    if version is not None:
        return f"all cases against version {version}"
    if newest:
        return "all cases against the newest version"
    return "each case against the version it ran on"
