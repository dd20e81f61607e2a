"""Every error a user can meet, grouped by what they can do about it.

* MinerError
  x InputError                 correct the data or the command, then run again
    + LogFormatError             the file or its events do not form an event log
    + ModelError                 a definition or a rule is not one that can be used
    + UnknownNameError           no such process, source, option, column or activity
    + MissingPackageError        what was asked for needs a package that is not installed
  x StoreError                 the event store cannot serve this now
    + StoreLockedError           another process is writing: wait
    + StoreCorruptError          the store does not pass its own checks: recover
  x SourceError                the system we read from did not answer with events
    + SourceRefusedError         it said no: check credentials, do not retry
    + SourceUnavailableError     it is busy or away: retry later
"""

from __future__ import annotations

from collections.abc import Collection
from difflib import get_close_matches


class MinerError(Exception):
    """What happened, with the value that caused it, and a hint: what to do next."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n{self.hint}" if self.hint else self.message


class InputError(MinerError):
    """The data or the command needs correcting."""


class LogFormatError(InputError):
    """A file is not what it was said to be, or its events do not form an event log."""


class ModelError(InputError):
    """A modelled workflow, or a rule beside it, is not one that can be used."""


class UnknownNameError(InputError):
    """A name that is not among the known ones."""

    def __init__(self, kind: str, name: str, known: Collection[str]) -> None:
        near = get_close_matches(name, known, n=1)
        if near:
            hint = f"Did you mean {near[0]!r}?"
        else:
            shown = sorted(known)[:20]
            more = f" and {len(known) - len(shown)} more" if len(known) > len(shown) else ""
            hint = f"Known: {', '.join(shown)}{more}." if shown else f"There is no {kind} yet."
        super().__init__(f"There is no {kind} named {name!r}.", hint=hint)


class MissingPackageError(InputError):
    """A package that is only installed with an extra of this one."""

    def __init__(self, doing: str, package: str, extra: str, *, instead: str = "") -> None:
        hint = f"Install it: pip install 'procession[{extra}]'{instead}."
        super().__init__(f"{doing} needs the package {package}.", hint=hint)


class StoreError(MinerError):
    """The event store cannot do this now."""


class StoreLockedError(StoreError):
    """Another process is writing to the store."""


class StoreCorruptError(StoreError):
    """The store does not pass its own checks."""


class SourceError(MinerError):
    """The system that events come from did not answer with events."""


class SourceRefusedError(SourceError):
    """It said no; trying again will not help."""


class SourceUnavailableError(SourceError):
    """It is busy or away; trying again later may help."""


def exit_code(error: MinerError) -> int:
    """The exit code of a command that ends with `error`: 2 input, 3 store, 4 source."""
    if isinstance(error, SourceError):
        return 4
    return 3 if isinstance(error, StoreError) else 2
