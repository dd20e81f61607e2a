from __future__ import annotations

import json

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from ingest.xes.json import mistyped, nested_json, scalar, scalar_json

KIND = st.sampled_from(["string", "date", "int", "float", "boolean", "id", "decimal"])
NUMBERS = st.from_regex(
    r"[ \n]?[+-]?[0-9]{0,25}(\.[0-9]{0,20})?([eE][+-]?[0-9]{1,3})?[ \t]?", fullmatch=True
)
WORDS = st.sampled_from(["true", "False", "1", "0", "NaN", "-INF", "1_0", "1,5", "٣", "0x1", "--1"])
XML_TEXT = st.text(
    st.characters(min_codepoint=32, exclude_categories=["Cs"]) | st.sampled_from("\t\n\r")
)


@given(st.lists(st.tuples(KIND, NUMBERS | WORDS | XML_TEXT), min_size=1))
def test_many_values_at_a_time_are_what_each_one_is(attributes: list[tuple[str, str]]) -> None:
    frame = pl.DataFrame(attributes, schema={"kind": pl.String, "value": pl.String}, orient="row")
    found = frame.select(
        scalar_json(pl.col("kind"), pl.col("value")).alias("json"),
        mistyped(pl.col("kind"), pl.col("value")).alias("mistyped"),
    )
    for (kind, value), text, wrong in zip(attributes, *found, strict=True):
        expected = scalar(kind, value)
        assert json.loads(text) == expected
        assert isinstance(json.loads(text), bool) == isinstance(expected, bool)
        assert not (wrong and not isinstance(expected, str))


def test_null_stays_null() -> None:
    found = pl.DataFrame(
        {"kind": ["int", "list", "container"], "value": [None, None, None]}
    ).select(scalar_json(pl.col("kind"), pl.col("value").cast(pl.String)))
    assert found.to_series().to_list() == [None, "[]", "{}"]


def test_meta_attributes_of_a_list_stand_beside_its_values() -> None:
    values = ["values", None, None, [["int", "a", "1", []]]]
    meta = ["string", "unit", "kg", []]
    assert json.loads(nested_json(["list", "l", None, [values, meta]])) == {
        "value": [{"a": 1}],
        "attributes": {"unit": "kg"},
    }
