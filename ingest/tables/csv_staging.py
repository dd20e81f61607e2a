"""CSV text read into a temporary table of texts, every record kept, rejected or an error.

All columns are read as text and cast in a later statement: DuckDB 2.0 skips the checks of types
when a query reads a CSV file and casts in one go.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import duckdb

from ingest.sql import literal
from ingest.tables.dialects import Dialect
from ingest.tables.text_files import TextFile, path_in_sql, with_newlines, without_head
from ingest.workplace import Workplace
from miner.errors import LogFormatError

LONGEST_RECORD = 2_000_000
LONGEST_SWALLOW = 1 << 16
"""A rejected record of several lines with more bytes than this has swallowed others."""
LONGEST_SHOWN = 1 << 16
MOST_REPAIRED = 10_000

REASON = f"""
case
    when bool_or(error_type = 'LINE SIZE OVER MAXIMUM') then 'longer than {LONGEST_RECORD} bytes'
    when bool_or(error_type = 'INVALID ENCODING') then 'not in the encoding of the file'
    when bool_or(error_type = 'UNQUOTED VALUE')
    then 'a quote that is not closed, or text after a closing quote'
    else
        max(try_cast(regexp_extract(error_message, 'Found: ([0-9]+)', 1) as integer))
        || ' fields instead of ' || $width
end
"""


@dataclass(frozen=True)
class Staged:
    """The rows of a CSV text, in order, and the records that are none."""

    rows: str
    """A table with the columns `c0`, `c1`, …"""
    rejected: str
    """A table of `byte` (where the record begins, from 1), `reason` and `record`."""
    rejections: int
    text: TextFile


def stage(text: TextFile, dialect: Dialect, width: int, path: str, workplace: Workplace) -> Staged:
    """Read the rows of `text` after the dialect's head into tables of the workplace.

    LogFormatError if there are none, if a quote swallows the rows after it, or if the text cannot
    be read so that every line of it is accounted for.
    """
    stages = _Stages(text, dialect, width, path, workplace)
    staged = stages.read() or stages.read_with_newlines() or stages.read_with_newlines(lone=True)
    if staged is None:
        raise LogFormatError(
            f"The file {path!r} cannot be read as CSV without losing lines.",
            hint="Check --delimiter and --quote, and look for stray quotes and line ends.",
        )
    return staged


@dataclass
class _Stages:
    """The attempts to read one text."""

    text: TextFile
    dialect: Dialect
    width: int
    path: str
    workplace: Workplace

    def read_with_newlines(self, *, lone: bool = False) -> Staged | None:
        """A further attempt with line ends of one kind, lone returns too where they end lines."""
        head = self.dialect.head.replace("\r\n", "\n")
        self.dialect = replace(self.dialect, head=head.replace("\r", "\n") if lone else head)
        self.text = with_newlines(self.text, self.workplace.folder, lone_returns=lone)
        return self.read(parallel=False)

    def read(self, *, parallel: bool = True) -> Staged | None:
        """The staged text; None if DuckDB gives up or leaves lines unaccounted for."""
        if self.dialect.line_end == "\r\n" and self.text.survey.mixed:
            return None  # DuckDB would take the first line end inside a value for that of lines
        connection, table = self.workplace.connection, self.workplace.table
        rows, rejected, errors, scans = (table(p) for p in ("row", "rejected", "error", "scan"))
        body, has_head = self.text.path, True
        if not self.dialect.head_is_one_line:  # DuckDB skips heads of several lines unreliably
            body, has_head = (
                without_head(self.text, self.dialect.head, self.workplace.folder),
                False,
            )
        try:
            connection.execute(
                f"create temp table {rows} as select * from "
                f"{self._reader(body, has_head, parallel, errors, scans)}"
            )
        except duckdb.InvalidInputException:
            return None
        except duckdb.Error as error:
            raise self._failure(error) from None
        connection.execute(
            f"""
            create temp table {rejected} as
            select
                line_byte_position as byte,
                {REASON} as reason,
                line_byte_position + strlen(min(csv_line)) as ending,
                trim(min(csv_line), chr(10) || chr(13)) as record,
                bool_or(error_type = 'UNQUOTED VALUE') as quote,
                bool_or(error_type = 'INVALID ENCODING') as undecoded
            from {errors}
            group by line_byte_position
            """,
            {"width": self.width},
        )
        self._refuse_swallowed(rejected, body, has_head)
        [(kept,)] = connection.sql(f"select count(*) from {rows}").fetchall()
        [(rejections,)] = connection.sql(f"select count(*) from {rejected}").fetchall()
        if not self._all_lines(rows, rejected, kept, rejections):
            return None
        self._tidy(rejected, body)
        self._refuse_nothing(rejected, kept)
        return Staged(rows, rejected, rejections, self.text)

    def _reader(self, body: Path, has_head: bool, parallel: bool, errors: str, scans: str) -> str:
        columns = ", ".join(f"c{i}: 'varchar'" for i in range(self.width))
        # DuckDB reads no row where it is told that lines end in both characters.
        end = {"\n": r"\n", "\r": r"\r"}.get(self.dialect.line_end)
        line_end = f"new_line = {literal(end)}," if end else ""
        return f"""read_csv({path_in_sql(body, self.workplace.folder)},
            auto_detect = false, columns = {{{columns}}}, header = {has_head},
            delim = {literal(self.dialect.delimiter)}, quote = {literal(self.dialect.quote)},
            escape = {literal(self.dialect.escape)}, strict_mode = true, parallel = {parallel},
            {line_end} compression = 'none', hive_partitioning = false,
            max_line_size = {LONGEST_RECORD}, store_rejects = true, rejects_limit = 0,
            rejects_table = {literal(errors)}, rejects_scan = {literal(scans)})"""

    def _failure(self, error: duckdb.Error) -> LogFormatError:
        first = str(error).splitlines()[0]
        return LogFormatError(f"The file {self.path!r} cannot be read as CSV: {first}")

    def _refuse_swallowed(self, rejected: str, body: Path, has_head: bool) -> None:
        """LogFormatError if a quote opened and did not end before many lines, or the file, did."""
        end = body.stat().st_size
        found = self.workplace.connection.sql(
            f"""
            select byte, length(record) - length(replace(record, chr(10), ''))
            from {rejected}
            where contains(record, chr(10)) and (
                strlen(record) > {LONGEST_SWALLOW}
                or quote and ending >= {end} - 2
            )
            order by byte
            limit 1
            """
        ).fetchall()
        for byte, lines in found:
            line = _line_number(body, byte)
            line += 0 if has_head else len(self.dialect.head.splitlines())
            raise LogFormatError(
                f"Line {line:,} of {self.path!r} opens a quote that swallows {lines:,} more lines.",
                hint="Close or remove that quote; `--quote none` reads quotes as plain text.",
            )

    def _all_lines(self, rows: str, rejected: str, kept: int, rejections: int) -> bool:
        """Whether the lines of the file are those of the head, of rows, rejected, or blank."""
        survey = self.text.survey
        lines = survey.line_ends + (not survey.last.endswith((b"\n", b"\r")))
        left = lines - kept - rejections - _line_ends(self.dialect.head)
        if left == 0:
            return True
        columns = ["record"] if rejections else []
        inside = self._inner_line_ends(rows, [f"c{i}" for i in range(self.width)])
        inside += self._inner_line_ends(rejected, columns) if columns else 0
        return 0 <= left - inside <= survey.blank_lines

    def _inner_line_ends(self, table: str, columns: list[str]) -> int:
        sums = []
        for column in columns:
            ends = f"replace({column}, chr(13) || chr(10), chr(10))"
            bare = f"replace(replace({ends}, chr(10), ''), chr(13), '')"
            some = f"contains({column}, chr(10)) or contains({column}, chr(13))"
            sums.append(
                f"coalesce(sum(case when {some} then strlen({ends}) - strlen({bare}) end), 0)"
            )
        [(total,)] = self.workplace.connection.sql(
            f"select ({' + '.join(sums)})::bigint from {table}"
        ).fetchall()
        return int(total)

    def _tidy(self, rejected: str, body: Path) -> None:
        """Drop lines of blanks alone, give undecoded bytes back, and cut what is too long."""
        connection = self.workplace.connection
        connection.execute(f"delete from {rejected} where trim(record, ' ' || chr(9)) = ''")
        undecoded = connection.sql(
            f"select byte from {rejected} where undecoded order by byte limit {MOST_REPAIRED}"
        ).fetchall()
        with body.open("rb") as stream:
            for (byte,) in undecoded:
                stream.seek(byte - 1)
                record = stream.readline(LONGEST_SHOWN).rstrip(b"\r\n")
                connection.execute(
                    f"update {rejected} set record = $record where byte = $byte",
                    {"record": record.decode(errors="backslashreplace"), "byte": byte},
                )
        connection.execute(
            f"update {rejected} set record = left(record, {LONGEST_SHOWN}) "
            f"where strlen(record) > {LONGEST_SHOWN}"
        )

    def _refuse_nothing(self, rejected: str, kept: int) -> None:
        if kept:
            return
        first = self.workplace.connection.sql(
            f"select reason, record from {rejected} order by byte limit 1"
        ).fetchall()
        if not first:
            raise LogFormatError(
                f"The file {self.path!r} has column names but no rows.",
                hint="It holds no events.",
            )
        [(reason, record)] = first
        raise LogFormatError(
            f"No row of {self.path!r} has the {self.width} columns of the first line: {reason} "
            f"in {record[:100]!r}.",
            hint="Check --delimiter and --quote, and the line of column names.",
        )


def _line_ends(text: str) -> int:
    return len(text.replace("\r\n", "\n").replace("\r", "\n").split("\n")) - 1


def _line_number(path: Path, byte: int) -> int:
    """The number of the line that holds the byte, both counted from 1."""
    number, left = 1, byte - 1
    with path.open("rb") as stream:
        while left > 0 and (chunk := stream.read(min(left, 1 << 22))):
            number += chunk.count(b"\n") or chunk.count(b"\r")
            left -= len(chunk)
    return number
