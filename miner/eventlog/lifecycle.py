"""Lifecycle transitions: from the words of a source to the ones the store knows."""

from __future__ import annotations

from collections.abc import Iterable

from miner.eventlog.schema import LIFECYCLE

SYNONYMS = {
    # IEEE 1849-2016, standard lifecycle model
    "schedule": "scheduled",
    "assign": "assigned",
    "reassign": "assigned",
    "withdraw": "cancel",
    "ate_abort": "cancel",
    "pi_abort": "cancel",
    "autoskip": "skip",
    "manualskip": "skip",
    "unknown": "complete",
    # words of engines and tables
    "created": "scheduled",
    "queued": "scheduled",
    "enqueued": "scheduled",
    "claim": "assigned",
    "started": "start",
    "begin": "start",
    "running": "start",
    "suspended": "suspend",
    "paused": "suspend",
    "pause": "suspend",
    "resumed": "resume",
    "completed": "complete",
    "end": "complete",
    "ended": "complete",
    "finish": "complete",
    "finished": "complete",
    "success": "complete",
    "succeeded": "complete",
    "done": "complete",
    "failed": "fail",
    "failure": "fail",
    "error": "fail",
    "timed_out": "timeout",
    "timedout": "timeout",
    "cancelled": "cancel",
    "canceled": "cancel",
    "terminated": "cancel",
    "aborted": "cancel",
    "abort": "cancel",
    "skipped": "skip",
    "retried": "retry",
    "up_for_retry": "retry",
}


def known(word: str) -> str | None:
    """The transition that `word` stands for, or null when it stands for none."""
    plain = word.strip().lower().replace(" ", "_").replace("-", "_")
    return plain if plain in LIFECYCLE else SYNONYMS.get(plain)


def mapping(words: Iterable[str]) -> dict[str, str]:
    """A transition for each of the words that one load uses.

    The words are transitions only when at least half of them are known ones. A column such as that
    of BPI Challenge 2013 ("In Progress", "Wait - User", "Resolved") holds states of a ticket:
    pairing its "Assigned" with its "Closed" would make up activity instances that nobody recorded.
    Then every event is a completion. A word that is not known is always a completion; the store
    keeps it beside the event.
    """
    found = {word: known(word) for word in words}
    if sum(transition is not None for transition in found.values()) * 2 < len(found):
        return dict.fromkeys(found, "complete")
    return {word: transition or "complete" for word, transition in found.items()}
