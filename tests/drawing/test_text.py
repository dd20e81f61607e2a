from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from miner.drawing.text import clean, escaped, fitted, width


@given(st.text())
def test_any_text_is_clean_xml_on_one_line(text: str) -> None:
    shown = clean(text)
    parsed = etree.fromstring(f'<a b="{escaped(shown)}">{escaped(shown)}</a>'.encode())
    assert parsed.text == parsed.get("b") == shown
    assert shown
    assert len(shown.splitlines()) == 1


def test_what_cannot_be_shown_is_replaced_and_direction_marks_vanish() -> None:
    assert (
        clean("a\x00b\ud800\u202ec\r\n d")
        == "a\N{REPLACEMENT CHARACTER}b\N{REPLACEMENT CHARACTER}c d"
    )
    assert clean(" \t") == clean("") == "(no name)"


@given(st.text("ab W_.é請", min_size=1, max_size=80), st.integers(30, 200), st.integers(1, 3))
def test_lines_fit_and_lose_nothing_but_what_the_ellipsis_stands_for(
    text: str, limit: int, lines: int
) -> None:
    text = clean(text)
    found = fitted(text, 12, limit, lines=lines)
    assert 1 <= len(found) <= lines
    assert all(width(line, 12) <= limit for line in found)
    joined = "".join(found).replace(" ", "")
    whole = text.replace(" ", "")
    assert joined == whole or (joined.endswith("…") and whole.startswith(joined[:-1]))


def test_words_break_where_readers_expect_it() -> None:
    assert fitted("Check the invoice", 12, 75, lines=2) == ["Check the", "invoice"]
    assert fitted("approve_invoice", 12, 75, lines=2) == ["approve_", "invoice"]
    assert fitted("ApproveInvoice", 12, 75, lines=2) == ["Approve", "Invoice"]
