"""The ways people write dates and times, told by their shape.

A shape is a text in lower case with a 0 for each digit: `00.00.0000 00:00` or `0 jan 0000`. Texts
of one shape are read by one format of DuckDB's `strptime`, except that a shape does not tell
whether the day or the month comes first.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from ingest.tables.column_names import listed

ENGLISH = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
ENGLISH_FULL = listed(
    "january february march april may june july august september october november december"
)

MONTHS = {
    "jan": "januar jänner januari janvier janv gennaio gen enero ene janeiro stycznia ocak oca",
    "feb": "februar februari février févr fév febbraio febrero fevereiro fev lutego şubat şub",
    "mar": "märz mrz mär maart mrt mars marzo março marca mart",
    "apr": "avril avr aprile april abril abr kwietnia nisan nis",
    "may": "mai mei maggio mag mayo maio maja maj mayıs",
    "jun": "juni juin giugno giu junio junho czerwca haziran haz",
    "jul": "juli juillet juil luglio lug julio julho lipca temmuz tem",
    "aug": "augustus augusti août agosto ago sierpnia ağustos ağu",
    "sep": "sept septembre settembre septiembre setembro set września eylül eyl",
    "oct": "oktober okt octobre ottobre ott octubre outubro out października ekim eki",
    "nov": "novembre noviembre novembro listopada kasım kas",
    "dec": "dezember dez décembre déc dicembre dic diciembre dezembro grudnia aralık ara",
}
MONTH_OF = {word: month for month, words in MONTHS.items() for word in listed(words)}
MONTH_OF = {word: month for word, month in MONTH_OF.items() if word not in ENGLISH_FULL}

DAYS_OF_WEEK = listed(
    "mon tue wed thu fri sat sun tues thur thurs "
    "monday tuesday wednesday thursday friday saturday sunday "
    "mo di mi do fr sa so montag dienstag mittwoch donnerstag freitag samstag sonntag "
    "lun mar mer jeu ven sam dim lundi mardi mercredi jeudi vendredi samedi dimanche"
)

DAY_FIRST, MONTH_FIRST, YEAR_FIRST = "day before month", "month before day", "year before month"

WORD = r"[^\W\d_]+"
NUMERIC = re.compile(r"(0{1,4})([-/. ]|\. )(0{1,2})\2(0{1,4})\.?(?=\D|$)")
DAY_MONTH_NAME = re.compile(
    rf"(00?)((?:st|nd|rd|th)?[. \-/]*(?:de )?)({WORD})([. ,\-/]+(?:de )?)(0000)"
)
MONTH_NAME_DAY = re.compile(rf"({WORD})([. ]+)(00?)((?:st|nd|rd|th)?,? )(0000)")
YEAR_MONTH_NAME = re.compile(rf"(0000)([ \-/])({WORD})([ \-/])(00?)")
TIME = re.compile(
    r"(?P<gap>[ ,t\-]+)(?P<hour>00?)(?P<colon>[:.])00"
    r"(?P<seconds>(?P=colon)00(?P<fraction>[.,]0+)?)?"
    r"(?P<half> ?(?:am|pm|a\.m\.|p\.m\.))?(?P<zone> ?(?:z|utc|gmt|[+-]00(?::?00)?))?"
)


@dataclass(frozen=True)
class Shape:
    """What a shape means."""

    formats: dict[str, str] = field(default_factory=dict)
    """For each order of day, month and year the shape may have: its strptime format."""
    aware: bool = False
    """Whether the offset from UTC is part of the text."""
    separator: str = ""
    """What stands between the numbers of a date whose order is open."""
    months: tuple[str, ...] = ()
    """Names of months, as written."""
    weekday: bool = False
    long_fraction: bool = False


def meaning(shape: str) -> Shape | None:
    """What texts of this shape mean; None if they are no dates. Numbers alone are not judged."""
    if found := _of_date(shape, weekday=False):
        return found
    match = re.match(rf"({WORD})[.,]* +(?=0)", shape)
    if match and match[1] in DAYS_OF_WEEK:
        return _of_date(shape[match.end() :], weekday=True)
    return None


def _of_date(shape: str, weekday: bool) -> Shape | None:
    for pattern, read in (
        (NUMERIC, _numeric),
        (DAY_MONTH_NAME, _day_month_name),
        (MONTH_NAME_DAY, _month_name_day),
        (YEAR_MONTH_NAME, _year_month_name),
    ):
        match = pattern.match(shape)
        found = read(match) if match else None
        if match and found:
            dates, separator, months = found
            time = _time_format(shape[match.end() :])
            if time is None:
                return None
            written, aware, long_fraction = time
            formats = {order: date + written for order, date in dates.items()}
            return Shape(formats, aware, separator, months, weekday, long_fraction)
    return None


Dates = tuple[dict[str, str], str, tuple[str, ...]]


def _numeric(match: re.Match[str]) -> Dates | None:
    first, separator, _, last = match.groups()
    end = "." if match[0].endswith(".") else ""

    def written(*parts: str) -> str:
        return separator.join(parts) + end

    if len(first) == 4 and len(last) <= 2:
        return {YEAR_FIRST: written("%Y", "%m", "%d")}, "", ()
    if len(first) <= 2 and len(last) == 4:
        orders = {DAY_FIRST: written("%d", "%m", "%Y"), MONTH_FIRST: written("%m", "%d", "%Y")}
        return orders, separator, ()
    if len(first) <= 2 and len(last) == 2:
        orders = {DAY_FIRST: written("%d", "%m", "%y"), MONTH_FIRST: written("%m", "%d", "%y")}
        if len(first) == 2:
            orders[YEAR_FIRST] = written("%y", "%m", "%d")
        return orders, separator, ()
    return None


def _month(word: str) -> tuple[str, tuple[str, ...]] | None:
    """The directive for a month as written, and the name to be put into English first."""
    if word in ENGLISH:
        return "%b", ()
    if word in ENGLISH_FULL:
        return "%B", ()
    return ("%b", (word,)) if word in MONTH_OF else None


def _day_month_name(match: re.Match[str]) -> Dates | None:
    _, before, word, after, _ = match.groups()
    month = _month(word)
    return month and ({DAY_FIRST: f"%d{before}{month[0]}{after}%Y"}, "", month[1])


def _month_name_day(match: re.Match[str]) -> Dates | None:
    word, before, _, after, _ = match.groups()
    month = _month(word)
    return month and ({MONTH_FIRST: f"{month[0]}{before}%d{after}%Y"}, "", month[1])


def _year_month_name(match: re.Match[str]) -> Dates | None:
    _, before, word, after, _ = match.groups()
    month = _month(word)
    return month and ({YEAR_FIRST: f"%Y{before}{month[0]}{after}%d"}, "", month[1])


def _time_format(shape: str) -> tuple[str, bool, bool] | None:
    """The format of a time of day, whether it has an offset, and a fraction beyond microseconds."""
    if not shape:
        return "", False, False
    match = TIME.fullmatch(shape)
    if match is None:
        return None
    colon, seconds, fraction = match["colon"], match["seconds"], match["fraction"]
    half, zone = match["half"], match["zone"]
    written = f"{match['gap']}{'%I' if half else '%H'}{colon}%M"
    if seconds:
        written += f"{colon}%S"
    if fraction:
        written += f"{fraction[0]}%f"
    if half:
        written += " %p" if half.startswith(" ") else "%p"
    if zone:
        written += " %z" if re.match(" [+-]", zone) else "%z"
    return written, bool(zone), len(fraction or "") > 7
