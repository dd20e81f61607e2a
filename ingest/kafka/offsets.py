"""Where reading the partitions of topics begins and ends, and what was lost in between."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from ingest.kafka.client import Brokers
from miner.eventlog.definitions import Limitation

LOST = ("cycle_time", "waiting_time", "failure_rate", "retry_rate", "frequency")
"""The measures that missing records touch."""
ASIDE = 5.0
"""Seconds to wait for what is good to know, but not needed for reading."""


@dataclass(frozen=True)
class Topic:
    """A topic as it was when it was read: one that was deleted and made anew is another."""

    identity: str | None = None
    """The cluster's id of it; null where brokers do not tell."""
    made: int = 1
    """How many topics of this name were met, so that their offsets are told apart."""
    offsets: dict[int, int] = field(default_factory=dict)
    """Of each partition, where reading goes on."""

    def event_prefix(self, name: str) -> str:
        """What the ids of its records begin with."""
        return name if self.made == 1 else f"{name}~{self.made}"


Offsets = dict[str, Topic]


def offsets_of(cursor: Any) -> Offsets:
    """The offsets in a stored cursor; none when nothing was read yet."""
    return {
        name: Topic(
            known.get("id"),
            known.get("made", 1),
            {int(partition): offset for partition, offset in known["offsets"].items()},
        )
        for name, known in (cursor or {}).items()
    }


def cursor_of(offsets: Offsets) -> dict[str, Any]:
    """The offsets as JSON: `{topic: {"id": …, "made": 1, "offsets": {partition: offset}}}`."""
    return {
        name: {
            "id": topic.identity,
            "made": topic.made,
            "offsets": {str(partition): offset for partition, offset in topic.offsets.items()},
        }
        for name, topic in offsets.items()
    }


@dataclass
class Plan:
    """What one load reads: from `begin` up to `end`, both per topic and partition."""

    begin: Offsets
    end: dict[tuple[str, int], int]
    limitations: list[Limitation]

    def unread(self) -> set[tuple[str, int]]:
        """The partitions in which there is something to read."""
        return {
            (topic, partition)
            for (topic, partition), end in self.end.items()
            if self.begin[topic].offsets[partition] < end
        }


def plan_of(
    brokers: Brokers,
    topics: Sequence[str],
    known: Offsets,
    since: datetime | None,
    until: datetime | None,
) -> Plan:
    """Where reading begins and ends; raises SourceRefusedError for a topic that is not there.

    It begins where the last load ended, else at `since`, else at the oldest record. It ends at what
    is there now, so that a load ends while others write.
    """
    partitions = {topic: brokers.partitions(topic) for topic in topics}
    identities = _identities(brokers, topics)
    plan = Plan({}, {}, [])
    for name in topics:
        marks = {number: _marks(brokers, name, number) for number in partitions[name]}
        late = _at(brokers, name, marks, until) if until else {}
        early = _at(brokers, name, marks, since) if since else {}
        topic = _same_or_new(name, known.get(name), identities.get(name), marks, plan)
        for number, (low, high) in marks.items():
            plan.end[name, number] = late.get(number, high)
            begin = topic.offsets.get(number)
            if begin is None:
                begin = early.get(number, low)
                if low and not since:
                    plan.limitations.append(_never_seen(name, number, low))
            elif begin < low:
                plan.limitations.append(_lost(name, number, begin, low))
                begin = low
            topic.offsets[number] = begin
        plan.begin[name] = topic
    if identities:  # else these brokers do not answer administrators
        plan.limitations += _compacted(brokers, [name for name, _ in plan.unread()])
    return plan


def _same_or_new(
    name: str,
    known: Topic | None,
    identity: str | None,
    marks: dict[int, tuple[int, int]],
    plan: Plan,
) -> Topic:
    if known is None:
        return Topic(identity)
    other = bool(known.identity and identity and known.identity != identity)
    ahead = any(marks.get(each, (0, 0))[1] < offset for each, offset in known.offsets.items())
    if not other and not ahead:
        return replace(known, identity=identity or known.identity, offsets=dict(known.offsets))
    plan.limitations.append(_made_anew(name))
    # The same topic with fewer records lost its end, so that what is old in it was read before.
    same = bool(known.identity and known.identity == identity)
    offsets = {each: marks[each][1] for each in known.offsets if each in marks} if same else {}
    return Topic(identity, known.made + 1, offsets)


def _marks(brokers: Brokers, topic: str, partition: int) -> tuple[int, int]:
    """The oldest offset, and the one after the newest record of a finished transaction."""
    from confluent_kafka import TopicPartition

    where = TopicPartition(topic, partition)
    low, high = brokers.ask(
        lambda seconds: brokers.consumer.get_watermark_offsets(where, timeout=seconds)
    )
    return low, high


def _at(
    brokers: Brokers, topic: str, marks: dict[int, tuple[int, int]], instant: datetime
) -> dict[int, int]:
    """Of each partition the first offset at or after `instant`, its end when there is none."""
    from confluent_kafka import TopicPartition

    millisecond = int(instant.replace(tzinfo=UTC).timestamp() * 1000)
    wanted = [TopicPartition(topic, number, millisecond) for number in marks]
    found = brokers.ask(lambda seconds: brokers.consumer.offsets_for_times(wanted, timeout=seconds))
    return {
        each.partition: min(each.offset, marks[each.partition][1])
        if each.offset >= 0
        else marks[each.partition][1]
        for each in found
    }


def _identities(brokers: Brokers, topics: Sequence[str]) -> dict[str, str]:
    """The cluster's ids of the topics; none where brokers or rights do not allow to ask."""
    from confluent_kafka import KafkaException, TopicCollection

    asked = brokers.admin.describe_topics(
        TopicCollection(list(topics)), request_timeout=min(brokers.timeout, ASIDE)
    )
    found = {}
    for name, answer in asked.items():
        with suppress(KafkaException):
            found[name] = str(answer.result().topic_id)
    return found


def _compacted(brokers: Brokers, topics: Sequence[str]) -> list[Limitation]:
    if not topics:
        return []
    from confluent_kafka import KafkaException
    from confluent_kafka.admin import ConfigResource, ResourceType  # type: ignore[attr-defined]

    resources = [ConfigResource(ResourceType.TOPIC, name) for name in sorted(set(topics))]
    asked = brokers.admin.describe_configs(resources, request_timeout=min(brokers.timeout, ASIDE))
    found = []
    for resource, answer in asked.items():
        # The right to see settings is not needed for reading; without it nothing is said.
        with suppress(KafkaException, KeyError):
            if "compact" in answer.result()["cleanup.policy"].value:
                found.append(_overwritten(resource.name))
    return found


def _overwritten(topic: str) -> Limitation:
    return Limitation(
        "compaction",
        f"Topic {topic} is compacted: of the records with one key only the latest is kept, so "
        "earlier events may be missing.",
        LOST,
    )


def _never_seen(topic: str, partition: int, low: int) -> Limitation:
    return Limitation(
        "retention",
        f"Partition {partition} of topic {topic} begins at offset {low}: older records were "
        "deleted before they were ever read.",
        LOST,
        low,
    )


def _lost(topic: str, partition: int, begin: int, low: int) -> Limitation:
    return Limitation(
        "retention",
        f"Up to {low - begin} records of partition {partition} of topic {topic} (offsets {begin} "
        f"to {low - 1}) were deleted before they were read.",
        LOST,
        low - begin,
    )


def _made_anew(topic: str) -> Limitation:
    return Limitation(
        "recreated",
        f"Topic {topic} was deleted and made anew, or lost its end, since it was read; what it "
        "held in between is unknown.",
        LOST,
    )
