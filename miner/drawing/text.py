"""Names made safe and fitted into boxes, without asking for any font."""

from __future__ import annotations

import html
import re
import unicodedata

# Advance widths of DejaVu Sans from space to tilde, in thousandths of the size. It is wider than
# the usual screen fonts, so what fits by this table fits in them too.
_WIDTHS = (
    318, 401, 460, 838, 636, 950, 780, 275, 390, 390, 500, 838, 318, 361, 318, 337, 636, 636, 636,
    636, 636, 636, 636, 636, 636, 636, 337, 337, 838, 838, 838, 531, 1000, 684, 686, 698, 770, 632,
    575, 775, 752, 295, 295, 656, 557, 863, 748, 787, 603, 787, 695, 635, 611, 732, 684, 989, 685,
    611, 685, 390, 337, 390, 838, 500, 500, 613, 635, 550, 635, 615, 352, 635, 634, 278, 278, 579,
    278, 974, 634, 612, 635, 635, 411, 521, 392, 634, 592, 818, 592, 592, 525, 636, 337, 636, 838,
)  # fmt: skip
_OTHER = 700
_WIDE = 1_100
_BOLD = 1.11
# Screens round the width of each glyph to whole pixels.
_ROUNDING = 1.04
_JOINERS = "\u200c\u200d"
_ELLIPSIS = "…"
_BREAKS = re.compile(r"[\s_\-/.:]|(?<=[a-z0-9])(?=[A-Z])")
# Scripts DejaVu has no glyphs for: South and South-East Asian, CJK, emoji.
_BEYOND_DEJAVU = re.compile(
    "[\u0700-\u109f\u1100-\u1cff\u2e80-\ud7ff\uf900-\ufaff\U00010000-\U0010ffff]"
)


def clean(name: str) -> str:
    """`name` on one line, with nothing in it that XML forbids or that changes reading direction.

    Blanks and line breaks become one space; control characters, lone surrogates and non-characters
    become "\N{REPLACEMENT CHARACTER}"; direction marks vanish. An empty name is "(no name)".
    """
    kept = "".join(_shown(char) for char in name)
    return " ".join(kept.split()) or "(no name)"


def _shown(char: str) -> str:
    category = unicodedata.category(char)
    if char.isspace():
        return " "
    if category == "Cf":
        return char if char in _JOINERS else ""
    code = ord(char)
    nonchar = code & 0xFFFE == 0xFFFE or 0xFDD0 <= code <= 0xFDEF
    return "\N{REPLACEMENT CHARACTER}" if category in ("Cc", "Cs") or nonchar else char


def escaped(text: str) -> str:
    """`text` for use as content or attribute value of SVG and HTML."""
    return html.escape(text, quote=True)


def needs_system_fonts(text: str) -> bool:
    """Whether `text` holds characters for which DejaVu Sans has no glyph."""
    return _BEYOND_DEJAVU.search(text) is not None


def width(text: str, size: float, *, bold: bool = False) -> float:
    """About how wide `text` is in pixels at font size `size`, rather too much than too little."""
    total = sum(_width(char) for char in text)
    return total * size / 1_000 * _ROUNDING * (_BOLD if bold else 1)


def _width(char: str) -> int:
    if " " <= char <= "~":
        return _WIDTHS[ord(char) - 32]
    if unicodedata.combining(char) or char in _JOINERS:
        return 0
    return _WIDE if unicodedata.east_asian_width(char) in "WF" else _OTHER


def fitted(text: str, size: float, limit: float, *, lines: int, bold: bool = False) -> list[str]:
    """`text` broken into at most `lines` lines no wider than `limit` pixels.

    Breaks at spaces, after `_ - / . :` and before the capitals of camelCase where it can, inside a
    word where it must; what does not
    fit ends in an ellipsis.
    """
    found: list[str] = []
    rest = text
    while rest and len(found) < lines - 1 and width(rest, size, bold=bold) > limit:
        head = _break(rest, _fits(rest, size, limit, bold))
        found.append(head.rstrip())
        rest = rest[len(head) :].lstrip()
    if width(rest, size, bold=bold) > limit:
        room = limit - width(_ELLIPSIS, size, bold=bold)
        cut = rest[: _fits(rest, size, room, bold)]
        rest = cut.rstrip(" " + _JOINERS) + _ELLIPSIS
    return [*found, rest] if rest else found


def _fits(text: str, size: float, limit: float, bold: bool) -> int:
    """How many characters of `text` fit into `limit`, at least one."""
    room = limit * 1_000 / size / _ROUNDING / (_BOLD if bold else 1)
    for index, char in enumerate(text):
        room -= _width(char)
        if room < 0:
            return max(1, index)
    return len(text)


def _break(text: str, fits: int) -> str:
    if text[fits : fits + 1] == " ":
        return text[:fits]
    places = [m.end() for m in _BREAKS.finditer(text[:fits])]
    good = [place for place in places if place >= fits // 3]
    return text[: good[-1]] if good else text[:fits]
