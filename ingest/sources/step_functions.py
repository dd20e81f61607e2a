"""AWS Step Functions."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC
from functools import cached_property
from typing import Annotated, Any, ClassVar

import polars as pl

from ingest.source import Fetched, Known, SystemSource
from ingest.step_functions.api import Api
from ingest.step_functions.reading import Reading
from miner.eventlog.definitions import Definition, Limitation


@dataclass(frozen=True)
class StepFunctions(SystemSource):
    """AWS Step Functions: a case for each standard execution, an activity for each state."""

    name: ClassVar[str] = "step-functions"

    region: Annotated[str | None, "AWS region [the one boto3 is configured with]"] = None
    endpoint: Annotated[str | None, "address of the API [that of the region]"] = None
    profile: Annotated[str | None, "profile of the AWS configuration [the default one]"] = None
    state_machine: Annotated[
        str | None, "ARN of a state machine, or what names of them begin with [all]"
    ] = None
    human_states: Annotated[
        str | None, "states whose task tokens people send back, separated by commas"
    ] = None
    payloads: Annotated[bool, "read outputs too, to name the executions that tasks start"] = False
    map_runs: Annotated[bool, "read the child executions of distributed maps too"] = True

    def fetch(self, known: Known) -> Iterator[Fetched]:
        """Histories of executions: those that still ran, those redriven, and those begun since."""
        reading = Reading(self._api, known, self._remember, self.payloads, self.map_runs)
        yield from reading.gone_on()
        for machine in self._machines():
            yield from reading.machine(machine)

    def decode(self, raw: bytes) -> pl.DataFrame:
        """The events of whole executions."""
        from ingest.step_functions.history import decode

        names = (self.human_states or "").split(",")
        return decode(raw, tuple(name.strip() for name in names if name.strip()))

    def limitations(self, events: pl.DataFrame, raw: bytes) -> tuple[Limitation, ...]:
        """Who redrove and who sent tokens back is not in the history."""
        if not events.height:
            return ()
        kept = events.filter(pl.col("event_id").is_not_null())
        redriven = kept.filter(pl.col("lifecycle") == "retry").height
        waits = kept.filter(
            (pl.col("lifecycle") == "complete") & pl.col("resource_kind").is_null()
        ).height
        mapped = kept.filter(pl.col("attributes").str.contains('"iteration":', literal=True)).height
        found = []
        if redriven:
            text = "Executions were redriven; the history does not say by whom."
            found.append(Limitation("hidden", text, ("handovers",), redriven))
        if waits:
            text = "Task tokens were sent back; the history does not say by whom."
            found.append(Limitation("hidden", text, ("handovers",), waits))
        if mapped:
            text = "Iterations of Map states are the same activity again in the same case."
            found.append(Limitation("iterations", text, ("rework_rate", "variants"), mapped))
        return tuple(found)

    def definitions(self) -> Iterator[Definition]:
        """The ASL of every revision that executions read by this source ran on, and the newest."""
        for machine in self._machines():
            arn = machine["stateMachineArn"]
            self._remember(self._api.one("describe_state_machine", stateMachineArn=arn))
        yield from self._revisions.values()

    @cached_property
    def _api(self) -> Api:
        return Api(self.region, self.endpoint, self.profile)

    @cached_property
    def _revisions(self) -> dict[tuple[str, str], Definition]:
        return {}

    def _remember(self, answer: dict[str, Any]) -> str:
        """Keep the definition in a description; returns its version."""
        text = answer["definition"]
        version = answer.get("revisionId") or hashlib.sha256(text.encode()).hexdigest()[:16]
        process = answer["stateMachineArn"].split(":")[6]
        since = answer.get("updateDate") or answer.get("creationDate")
        valid = since.astimezone(UTC).replace(tzinfo=None) if since else None
        definition = Definition(process, version, "asl", text, valid, answer["stateMachineArn"])
        self._revisions.setdefault((process, version), definition)
        return str(version)

    def _machines(self) -> Iterator[dict[str, Any]]:
        wanted = self.state_machine or ""
        if wanted.startswith("arn:"):
            yield self._api.one("describe_state_machine", stateMachineArn=wanted)
            return
        for machine in self._api.items("list_state_machines", "stateMachines", maxResults=1000):
            if machine["name"].startswith(wanted):
                yield machine
