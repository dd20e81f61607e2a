"""Deviations that somebody accepted: by whom, why, where, and until when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import polars as pl

from miner.conformance.deviation import KINDS
from miner.conformance.held import Held
from miner.errors import InputError, UnknownNameError
from miner.eventlog import audit
from miner.eventlog.log import EventLog
from miner.eventlog.schema import INSTANT
from miner.eventlog.store import EventStore

ALLOWANCES = pl.Schema(
    {
        "allowance_id": pl.Int64(),
        "kind": pl.String(),
        "activity": pl.String(),
        "rule": pl.String(),
        "version": pl.String(),
        "attribute": pl.String(),
        "attribute_value": pl.String(),
        "reason": pl.String(),
        "owner": pl.String(),
        "approver": pl.String(),
        "allowed_at": INSTANT,
        "expires_at": INSTANT,
        "withdrawn_at": INSTANT,
        "in_force": pl.Boolean(),
    }
)


@dataclass(frozen=True)
class Allowance:
    """A kind of deviation that is accepted, until a day; what is null does not narrow it."""

    kind: str | None
    activity: str | None
    reason: str
    owner: str
    approver: str
    expires_at: datetime
    """UTC, naive: from then on the deviation counts again."""
    rule: str | None = None
    version: str | None = None
    attribute: str | None = None
    """Only cases in which this attribute has `attribute_value`."""
    attribute_value: str | None = None


def allow(store: EventStore, process: str, allowance: Allowance) -> int:
    """Accept a kind of deviation from now on; returns its number.

    Raises InputError for an allowance without reason, owner or approver, whose approver is its
    owner, that is for everything, or is over already. The audit trail keeps it.
    """
    _check(store.log(process), allowance)
    values = vars(allowance) | {"process": process, "now": _now()}
    with store.write() as writer, writer.transaction():
        ((number,),) = writer.connection.execute(_ALLOW, values).fetchall()
    said = {key: value for key, value in vars(allowance).items() if value is not None}
    audit.note(store.folder, "allow", process=process, allowance_id=number, **said)
    return int(number)


def withdraw(store: EventStore, process: str, number: int, *, reason: str) -> None:
    """End an allowance now; raises UnknownNameError when none with this number is in force."""
    in_force = allowances(store.log(process)).filter("in_force")["allowance_id"]
    if number not in in_force:
        raise UnknownNameError("allowance", str(number), [str(each) for each in in_force])
    with store.write() as writer, writer.transaction():
        values = {"process": process, "number": number, "now": _now()}
        writer.connection.execute(_WITHDRAW, values)
    audit.note(store.folder, "withdraw", process=process, allowance_id=number, reason=reason)


def allowances(log: EventLog) -> pl.DataFrame:
    """The allow-list, also what is withdrawn or over; `ALLOWANCES` in order of number."""
    return log.query(_LIST, ALLOWANCES)


def accepted_cases(held: Held) -> int:
    """The judged cases that conform, or whose deviations are all on the allow-list now."""
    any_allowed = held.log.row(f"select count(*) as found from allowance where {_IN_FORCE}")
    sql = _ACCEPTED if any_allowed["found"] else _CONFORMING
    return int(held.log.row(sql)["cases"])


def _check(log: EventLog, allowance: Allowance) -> None:
    for name in ("reason", "owner", "approver"):
        if not getattr(allowance, name).strip():
            raise InputError(f"An allowance needs {'an' if name != 'reason' else 'a'} {name}.")
    if allowance.owner.strip().casefold() == allowance.approver.strip().casefold():
        raise InputError(
            f"{allowance.owner!r} cannot approve an allowance of their own.",
            hint="Name somebody else as approver.",
        )
    if allowance.kind is not None and allowance.kind not in KINDS:
        raise UnknownNameError("kind of deviation", allowance.kind, KINDS)
    if allowance.kind is None and allowance.activity is None and allowance.rule is None:
        raise InputError(
            "An allowance for every deviation there is would hide them all.",
            hint="Name a kind, an activity or a rule.",
        )
    if (allowance.attribute is None) != (allowance.attribute_value is None):
        raise InputError("An attribute needs the value that it is to have.")
    if allowance.expires_at <= _now():
        raise InputError(f"{allowance.expires_at:%Y-%m-%d %H:%M} is over already.")
    if allowance.version is not None:
        known = log.query(
            "select process_version as version from process_version",
            pl.Schema({"version": pl.String()}),
        )["version"]
        if allowance.version not in known:
            raise UnknownNameError("version", allowance.version, list(known))


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None, microsecond=0)


_IN_FORCE = "withdrawn_at is null and expires_at > now()::timestamp"

ALLOWED = f"""exists (
            select 1
            from allowance as w
            where {_IN_FORCE}
                and w.rule is null
                and coalesce(w.kind, d.kind) = d.kind
                and coalesce(w.activity, d.activity) = d.activity
                and (w.process_version is null or w.process_version = v.process_version)
                and (w.attribute is null or j.case_key in (
                    select y.case_key
                    from case_identity as y
                    where y.attributes is not null
                        and (y.attributes::json ->> w.attribute) = w.attribute_value
                ))
        )"""
"""Whether the deviation d of the case j, which ran on the version v, is on the allow-list."""

_CONFORMING = """
select count(*) as cases
from judged_case as j
join aligned as a using (model, trace_key)
where a.cost = 0
"""

_ACCEPTED = f"""
{_CONFORMING}
    or j.case_key not in (
        select j.case_key
        from judged_case as j
        join deviation_of_trace as d using (model, trace_key)
        left join process_version as v using (version_key)
        where not {ALLOWED}
    )
"""

_OF = "(select process_key from process where process = $process)"

_ALLOW = f"""
insert into allowance
select
    {_OF},
    1 + coalesce((select max(allowance_id) from allowance where process_key = {_OF}), 0),
    $kind, $activity, $rule, $version, $attribute, $attribute_value,
    $reason, $owner, $approver, $now::timestamp, $expires_at::timestamp, null
returning allowance_id
"""

_WITHDRAW = f"""
update allowance
set withdrawn_at = $now::timestamp
where process_key = {_OF} and allowance_id = $number
"""

_LIST = f"""
select
    allowance_id, kind, activity, rule, process_version as version, attribute, attribute_value,
    reason, owner, approver, allowed_at, expires_at, withdrawn_at,
    {_IN_FORCE} as in_force
from allowance
order by allowance_id
"""
