"""BPMN as Camunda 8 deploys it: the names of its elements and how often their jobs are tried."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

import polars as pl
from lxml import etree

from miner.eventlog.definitions import Definition

BPMN = "{http://www.omg.org/spec/BPMN/20100524/MODEL}"
ZEEBE = "{http://camunda.org/schema/zeebe/1.0}"
USUAL_RETRIES = 3
"""How often a job is tried when its task does not say."""

NAMES = pl.Schema(
    {
        "definition_key": pl.String(),
        "element_id": pl.String(),
        "name": pl.String(),  # null: the element has none
        "retries": pl.Int32(),  # tries of its jobs; null: it has none, or an expression says
        "version": pl.String(),
        "version_tag": pl.String(),
    }
)
"""One row per element of a deployed process, and one with a null element for the process."""


@dataclass(frozen=True)
class Model:
    """A deployed version of a process."""

    definition_key: str
    process: str
    version: str
    version_tag: str | None
    text: str
    deployed_at: datetime | None = None

    def definition(self) -> Definition:
        """The model as the store keeps it."""
        return Definition(
            self.process, self.version, "bpmn", self.text, self.deployed_at, self.definition_key
        )


def names(models: Iterable[Model]) -> pl.DataFrame:
    """What the models say about their elements; returns `NAMES`. Unreadable BPMN names nothing."""
    rows: list[tuple[str | int | None, ...]] = []
    for model in models:
        about = (model.version, model.version_tag)
        rows.append((model.definition_key, None, None, None, *about))
        for element in _elements(model):
            found = element.get("name", "").strip() or None
            rows.append((model.definition_key, element.get("id"), found, _retries(element), *about))
    return pl.DataFrame(rows, schema=NAMES, orient="row")


def models_in(lines: pl.DataFrame) -> list[Model]:
    """The models in exported records of deployed processes; `lines` has the column `line`."""
    told = pl.col("line").str.contains(r'"valueType"\s*:\s*"PROCESS"')
    found: dict[str, Model] = {}
    for line in lines.filter(told)["line"].to_list():
        try:
            record = json.loads(line)
            model = _model(record.get("_source", record))
        except (ValueError, KeyError, TypeError, AttributeError):
            continue  # the line of a record that is none is rejected where records are read
        if model:
            found.setdefault(model.definition_key, model)
    return list(found.values())


def _model(record: dict[str, object]) -> Model | None:
    value = record["value"]
    if record.get("intent") != "CREATED" or not isinstance(value, dict) or not value["resource"]:
        return None
    deployed = datetime.fromtimestamp(int(str(record["timestamp"])) / 1000, UTC)
    return Model(
        definition_key=str(value["processDefinitionKey"]),
        process=str(value["bpmnProcessId"]),
        version=str(value["version"]),
        version_tag=value.get("versionTag") or None,
        text=base64.b64decode(value["resource"]).decode("utf-8"),
        deployed_at=deployed.replace(tzinfo=None),
    )


def _elements(model: Model) -> list[etree._Element]:
    """The elements of the process of a model; one file may hold several processes."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
    try:
        root = etree.fromstring(model.text.encode(), parser)
    except (etree.XMLSyntaxError, ValueError):
        return []
    return [
        element
        for process in root.iter(f"{BPMN}process")
        if process.get("id") == model.process
        for element in process.iter()
        if isinstance(element.tag, str) and element.tag.startswith(BPMN) and element.get("id")
    ]


def _retries(element: etree._Element) -> int | None:
    task = element.find(f"{BPMN}extensionElements/{ZEEBE}taskDefinition")
    if task is None:
        return None
    told = str(task.get("retries", USUAL_RETRIES))
    return int(told) if re.fullmatch(r"\d{1,9}", told) else None
