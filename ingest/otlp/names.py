"""Names of spans: what they have in common becomes the activity, what tells runs apart goes."""

from __future__ import annotations

import re
from functools import lru_cache

_TIME = r"\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:?\d{2})?)?"
_UUID = r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"
_ADDRESS = r"\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?"
_ID = "|".join(
    (
        _UUID,
        r"\{?[0-9A-Fa-f]{16,}\}?",  # hashes and ids of traces
        r"(?=[A-Fa-f]*\d)[0-9A-Fa-f]{8,}",  # short hashes, not words such as "deadbeef"
        r"(?=[A-Z]*\d)[0-9A-Z]{20,}",  # ULIDs and the like
        r"[A-Za-z]*\d{5,}[0-9A-Za-z]*",  # ORD20481
        r"\d{3,}",
        r"(?<=[/#=])\d+",  # short numbers are ids in paths only: "step 2" is a step
    )
)
_REPLACED = re.compile(
    rf"(?<![0-9A-Za-z])(?:(?P<time>{_TIME})|(?P<address>{_ADDRESS})|(?P<id>{_ID}))(?![0-9A-Za-z])"
)
_QUERY = re.compile(r"(?<=[\w/})])\?[^\s?]*=\S*")

WORKFLOW = re.compile(
    r"^(?:(?:Start|StartUpdateWithStart|SignalWithStart|Run|StartChild|Execute|Complete)Workflow:"
    r"|StartChildWorkflowExecution:|(?:create_)?orchestration:|dag_run\.|(?:Start|Run)Process:)"
    r"(?P<workflow>.+)$"
)
"""Spans that stand for a whole workflow: Temporal, Durable Task and Dapr, Airflow."""


@lru_cache(maxsize=65536)
def activity_of(name: str) -> str:
    """The activity of a span: its name with ids, numbers, times and addresses replaced.

    `GET /orders/4711?x=1` is `GET /orders/{id}`. Short numbers stay where they may count steps.
    """
    plain = _QUERY.sub("", name.strip())
    return _REPLACED.sub(lambda found: "{" + str(found.lastgroup) + "}", plain) or name


@lru_cache(maxsize=65536)
def workflow_of(name: str) -> str:
    """The workflow type that a span stands for: `Order` for `RunWorkflow:Order`, else its name."""
    found = WORKFLOW.match(name)
    return activity_of(found.group("workflow") if found else name)
