"""Mistakes in a mapping are told with their line and what was probably meant."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from ingest.mapping import Mapping
from miner.errors import InputError

GOOD = 'case = "c"\nactivity = "a"\ntimestamp = "t"\n'


def read(tmp_path: Path, text: str) -> Mapping:
    path = tmp_path / "m.toml"
    path.write_text(text, encoding="utf-8")
    return Mapping.read(path)


@pytest.mark.parametrize(
    ("text", "line", "message", "hint"),
    [
        ('case = "c"\nactivty = "a"', 2, "no key 'activty'", "'activity'"),
        (GOOD + "[attributes]\n\n[[event]]\nwen = 'a'", 7, "no key 'wen'", "'when'"),
        (GOOD + "timezon = 'UTC'", 4, "no key 'timezon'", "'timezone'"),
        (GOOD + "timezone = 'Europe/Berln'", 4, "Europe/Berln", "Europe/Berlin"),
        (GOOD + "daylight_saving = 'no'", 4, "cannot be 'no'", "earlier"),
        (GOOD + "timestamp_format = 'dd.mm'", 4, "cannot be 'dd.mm'", "%d.%m.%Y"),
        (GOOD + "format = 'xml'", 4, "cannot be 'xml'", "cloudevents"),
        (GOOD + "[event]\nactivity = 'a'", 4, "[[event]]", ""),
        (GOOD + "[[event]]\ntimezone = 'UTC'", 5, "whole mapping", "before"),
        ('case = "c"\ntimestamp = "t"', 1, "nothing about activity", "activity ="),
        ("case = c", 1, "no TOML", "quotation"),
        (GOOD + "[attributes]\nx = ['a']", 5, "x is a list", "text"),
        (GOOD + "attributes = 'a'", 4, "has to be a table", "[attributes]"),
        (GOOD + "resource = ''", 4, "is empty", "leave"),
    ],
)
def test_mistakes_are_told_with_their_line(
    tmp_path: Path, text: str, line: int, message: str, hint: str
) -> None:
    with pytest.raises(InputError) as caught:
        read(tmp_path, text)
    assert f"m.toml, line {line}: " in caught.value.message
    assert message in caught.value.message
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("upper(who", "at character 9 near 'who': expecting )"),
        ("who || ", "something is missing"),
        ("a = 'b", "ends within a quotation"),
        ("uper(who)", "uses uper(), which is not allowed"),
        ("Order approved!", "cannot be read at character 15"),
        ("case when a then b", "cannot be read"),
    ],
)
def test_mistakes_in_expressions_are_told_with_their_place(
    tmp_path: Path, expression: str, message: str
) -> None:
    with pytest.raises(InputError) as caught:
        read(tmp_path, f'{GOOD}resource = "{expression}"')
    assert "line 4: resource " in caught.value.message
    assert message in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize(
    "attack",
    [
        "(select 1)",
        "x in (select y from z)",
        "exists(select 1)",
        "a; drop table x",
        "1; select 2",
        "read_text('/etc/passwd')",
        "read_csv('x')",
        "getenv('HOME')",
        "current_setting('x')",
        "nextval('s')",
        "count(*)",
        "sum(a)",
        "row_number() over ()",
        "columns('a')",
        "*",
        "now()",
        "random()",
        "list_transform(x, y -> y + 1)",
        '"getenv"(x)',
        "current_user || a",
        "query('x')",
        "x = ?",
        "a || $1",
        "unnest(x)",
        "pragma_version()",
        "attach 'x'",
        "struct_pack(a := getenv(b))",
        "main.getenv('HOME')",
        "duckdb_secrets()",
        "a ->> getenv('x')",
        "case when getenv(a) then b end",
    ],
)
def test_only_expressions_over_one_record_are_allowed(tmp_path: Path, attack: str) -> None:
    quoted = attack.replace("\\", "\\\\").replace('"', '\\"')
    with pytest.raises(InputError, match="line 4"):
        read(tmp_path, f'{GOOD}resource = "{quoted}"').events(pl.DataFrame({"c": [1], "a": [""]}))


def test_a_column_that_does_not_exist_is_told_with_the_nearest(tmp_path: Path) -> None:
    frame = pl.DataFrame({"c": [1], "a": ["x"], "t": [1769850000], "customer": ["y"]})
    with pytest.raises(InputError) as caught:
        read(tmp_path, GOOD + 'resource = "custmer"').events(frame)
    assert "line 4: resource: there is no column named 'custmer'" in caught.value.message
    assert "'customer'" in caught.value.hint


def test_an_expression_that_does_not_fit_its_types_is_told(tmp_path: Path) -> None:
    mapping = read(tmp_path, GOOD + '[attributes]\ngross = "net * 1.19"')
    with pytest.raises(InputError, match=r"line 5: gross cannot be computed") as caught:
        mapping.events(pl.DataFrame({"c": [1], "a": ["x"], "t": [1769850000], "net": ["5"]}))
    assert "cast" in caught.value.hint


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        Mapping.read(tmp_path / "none.toml")


def test_lines_are_right_after_texts_of_several_lines(tmp_path: Path) -> None:
    text = f'{GOOD}resource = """\nfoo\n"""\n\n[attributes]\n"a b" = "x"\nc.d = "y"\n'
    with pytest.raises(InputError, match=r"line 10: c is a table"):
        read(tmp_path, text)


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("upper(name)", "ANN"),
        ("name || '-' || n", "ann-7"),
        ("case when n > 5 then 'much' else 'little' end", "much"),
        ("regexp_extract(name, '(n+)', 1)", "nn"),
        ("strftime(at + interval 1 day, '%d.%m.%Y')", "02.02.2026"),
        ("(at at time zone 'UTC')::date::varchar", "2026-02-01"),
        ("more ->> '$.x'", "1"),
        ("more.y[1]", "3"),
        ("more.y[1] || name", "3ann"),
        ("string_split(name, 'n')[1]", "a"),
        ("date_diff('day', at, at + interval 3 day)", "3"),
        ("'it''s {name}'", "it's {name}"),
        ("coalesce(nothing, name)", "ann"),
        ("try_cast(name as integer)", None),
        ("name::integer", None),
    ],
)
def test_expressions_mean_what_they_mean_in_duckdb(
    tmp_path: Path, expression: str, value: str | None
) -> None:
    frame = pl.DataFrame(
        {
            "c": [1], "a": ["x"], "t": [1769850000], "name": ["ann"], "n": [7], "nothing": [None],
            "more": ['{"x": "1", "y": [2, 3]}'],
        }
    ).with_columns(pl.lit("2026-02-01 10:00:00").str.to_datetime().alias("at"))  # fmt: skip
    events = read(tmp_path, f'{GOOD}resource = "{expression}"').events(frame)
    assert events["resource"].to_list() == [value]
