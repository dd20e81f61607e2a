"""One pass over Step Functions: which executions are read, and where reading goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from ingest.source import Fetched, Known
from ingest.step_functions.api import Api, GoneError
from ingest.step_functions.lines import event_line, line
from miner.eventlog.definitions import Limitation

EVENTS_PER_PIECE = 20_000
OVERLAP = timedelta(minutes=2)
"""Lists are eventually consistent; what shows up later than this is missed."""
ITEMS_PER_PAGE = 1000
ABOUT = ("name", "status", "stateMachineVersionArn", "stateMachineAliasArn", "mapRunArn")
TIMES = ("startDate", "stopDate", "redriveDate")


@dataclass
class Reading:
    """Gathers recorded lines to pieces that end between executions.

    The cursor holds for each state machine, in seconds since 1970: `until`, the start of the newest
    execution of the last complete pass; `top` and `low`, between which the starts of this pass lie,
    newest first, while it is not complete; `ended`, the executions in the overlap that had ended
    when they were read, with their starts; and `redriven`, up to when redrives were seen.
    """

    api: Api
    known: Known
    remember: Callable[[dict[str, Any]], str]
    """Keeps a description of a state machine; gives the version it describes."""
    payloads: bool
    map_runs: bool
    lines: list[bytes] = field(default_factory=list)
    gone: int = 0
    read_again: dict[str, str] = field(default_factory=dict)
    """The status of each execution that this pass read again."""

    def __post_init__(self) -> None:
        self.cursor: dict[str, dict[str, Any]] = deepcopy(self.known.cursor or {})
        since = self.known.since
        self.since = (since - OVERLAP).replace(tzinfo=UTC).timestamp() if since else 0.0

    def machine(self, machine: dict[str, Any]) -> Iterator[Fetched]:
        """What a state machine did since the last time, newest first, and what was redriven."""
        if machine.get("type") == "EXPRESS":
            text = "Executions of express state machines have no history in Step Functions."
            yield Fetched(b"", None, (Limitation("hidden", text, ("cases",)),))
            return
        arn = machine["stateMachineArn"]
        done = self.cursor.setdefault(arn, {"until": 0.0, "ended": {}, "redriven": None})
        yield from self._redriven(arn, done)
        if "top" in done:  # the last pass was interrupted; go on below it
            yield from self._begun(arn, done, below=done["low"])
            self._complete(done)
        yield from self._begun(arn, done, below=None)
        self._complete(done)
        yield from self._piece(self.cursor)

    def gone_on(self) -> Iterator[Fetched]:
        """Histories of the executions that still ran when they were read last."""
        described = (
            self.api.found("describe_execution", executionArn=arn) for arn in self.known.open_cases
        )
        yield from self.again(item for item in described if item)

    def again(self, items: Iterator[dict[str, Any]]) -> Iterator[Fetched]:
        """Histories of executions that were read before; where reading stands does not change."""
        for item in items:
            self.read_again[item["executionArn"]] = item["status"]
            yield from self._execution(item, again=True)
            yield from self._full_piece(None)
        yield from self._piece(None)

    def _complete(self, done: dict[str, Any]) -> None:
        done["until"] = done.pop("top", done["until"])
        done.pop("low", None)
        oldest = done["until"] - OVERLAP.total_seconds()
        done["ended"] = {arn: start for arn, start in done["ended"].items() if start >= oldest}

    def _redriven(self, arn: str, done: dict[str, Any]) -> Iterator[Fetched]:
        """A redrive opens an ended execution again, under its old ARN and start."""
        now = (datetime.now(UTC) - OVERLAP).timestamp()
        if done["redriven"] is not None:
            found = self.api.items(
                "list_executions", "executions", stateMachineArn=arn, redriveFilter="REDRIVEN",
                maxResults=ITEMS_PER_PAGE,
            )  # fmt: skip
            dated = (item for item in found if "redriveDate" in item)
            since = done["redriven"]
            yield from self.again(i for i in dated if i["redriveDate"].timestamp() >= since)
        done["redriven"] = now

    def _begun(self, machine: str, done: dict[str, Any], below: float | None) -> Iterator[Fetched]:
        """Executions come newest first; what begins while they are listed comes next time."""
        oldest = done["until"] - OVERLAP.total_seconds()
        found = self.api.items(
            "list_executions", "executions", stateMachineArn=machine, maxResults=ITEMS_PER_PAGE
        )
        for item in found:
            started = item["startDate"].timestamp()
            if started < oldest:
                return
            if below is not None and started > below:
                continue
            arn = item["executionArn"]
            if arn not in self.read_again and arn not in done["ended"]:
                yield from self._execution(item)
            if self.read_again.get(arn, item["status"]) != "RUNNING":
                done["ended"][arn] = started
            done.setdefault("top", started)
            done["low"] = started
            yield from self._full_piece(self.cursor)

    def _execution(
        self, item: dict[str, Any], run: dict[str, Any] | None = None, *, again: bool = False
    ) -> Iterator[Fetched]:
        """Gather one execution, then those that its distributed maps started.

        `run` says of an execution in a map run who its parent is, and the version of all in it.
        """
        arn = item["executionArn"]
        run = run if run is not None else {}
        if "revisionId" not in run:
            asked = self.api.found("describe_state_machine_for_execution", executionArn=arn)
            run["revisionId"] = self.remember(asked) if asked else None
        try:
            lines, maps = self._history(arn)
        except GoneError:
            self.gone += 1
            return
        about = {key: item[key] for key in ABOUT if key in item} | run
        self.lines += [line(kind="execution", execution=arn, item=about), *lines]
        for map_run in maps if self.map_runs else ():
            yield from self._children(map_run, arn, again=again)

    def _history(self, arn: str) -> tuple[list[bytes], list[str]]:
        lines, maps = [], []
        found = self.api.items(
            "get_execution_history", "events", executionArn=arn, maxResults=ITEMS_PER_PAGE,
            includeExecutionData=self.payloads,
        )  # fmt: skip
        for event in found:
            lines.append(event_line(arn, event))
            if "mapRunStartedEventDetails" in event:
                maps.append(event["mapRunStartedEventDetails"]["mapRunArn"])
        return lines, maps

    def _children(self, map_run: str, parent: str, *, again: bool) -> Iterator[Fetched]:
        """Of a parent that was read before, only the executions that have changed since."""
        run = {"parentArn": parent}
        found = self.api.items(
            "list_executions", "executions", mapRunArn=map_run, maxResults=ITEMS_PER_PAGE
        )
        for child in found:
            changed = max(child[key].timestamp() for key in TIMES if key in child)
            if not again or child["status"] == "RUNNING" or changed >= self.since:
                yield from self._execution(child, run, again=again)
            yield from self._full_piece(None)

    def _full_piece(self, cursor: dict[str, Any] | None) -> Iterator[Fetched]:
        if len(self.lines) >= EVENTS_PER_PIECE:
            yield from self._piece(cursor)

    def _piece(self, cursor: dict[str, Any] | None) -> Iterator[Fetched]:
        lines, self.lines = self.lines, []
        gone, self.gone = self.gone, 0
        found: tuple[Limitation, ...] = ()
        if gone:
            text = "Executions were listed, but their history is over its time of retention."
            found = (Limitation("retention", text, ("cases", "throughput_per_day"), gone),)
        if lines or cursor or found:
            yield Fetched(b"\n".join(lines), deepcopy(cursor), found)
