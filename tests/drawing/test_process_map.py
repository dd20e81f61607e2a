from __future__ import annotations

import base64
import hashlib
import io
import json
import re
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from lxml import etree
from PIL import Image

from miner.discovery.process_map import opening_view, simplify
from miner.drawing.palette import contrast, palette
from miner.drawing.process_map import map_html, map_png, map_svg
from tests.drawing.maps import map_of, map_of_log, random_map

HOSTILE = "</title></svg></script><script>alert(1)</script>\"'&\n\x00\x1b\u202e😀 <b>"
LOGS = ["receipt.csv.gz", "helpdesk_finale.csv.gz"]


def parts(svg: str) -> dict[str, etree._Element]:
    root = etree.fromstring(svg.encode())
    return {node.get("data-part"): node for node in root.iter() if node.get("data-part")}


def pixels(svg: str) -> np.ndarray:
    with Image.open(io.BytesIO(map_png(svg, scale=1))) as image:
        return np.asarray(image.convert("RGB")).astype(int)


def only_paths(svg: str) -> str:
    """The picture with everything but the paths taken out."""
    root = etree.fromstring(svg.encode())
    for node in list(root.iter()):
        if node.get("data-part") not in (None, "paths"):
            node.getparent().remove(node)
    return str(etree.tostring(root, encoding="unicode"))


def visible_share(svg: str, reference: str) -> float:
    """How much of the paths' ink, as `reference` shows it alone, is seen in the whole picture."""
    alone, whole = pixels(reference), pixels(svg)
    ink = np.abs(alone - alone[0, 0]).max(axis=2) > 60
    assert ink.sum() > 5_000
    same = np.abs(alone - whole).max(axis=2) < 60
    return float((ink & same).sum() / ink.sum())


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", LOGS)
def test_every_path_is_visible(shared_logs: Path, name: str, theme: str) -> None:
    whole = map_of_log(shared_logs / "real" / name)
    svg = map_svg(simplify(whole), theme=theme)  # type: ignore[arg-type]
    reference = only_paths(svg)
    assert visible_share(svg, reference) >= 0.995


@pytest.mark.parametrize(
    ("fault", "mended"),
    [
        ('data-part="paths" fill="none"', 'data-part="paths" fill="#ffffff"'),
        ("<circle ", '<circle stroke="#ffffff" stroke-width="160" '),
        ('rx="8" fill="', 'rx="8" stroke-width="30" fill="'),
    ],
)
def test_the_visibility_check_sees_what_covers_paths(
    shared_logs: Path, fault: str, mended: str
) -> None:
    svg = map_svg(simplify(map_of_log(shared_logs / "real" / LOGS[1])))
    assert fault in svg
    assert visible_share(svg.replace(fault, mended), only_paths(svg)) < 0.99


def test_names_and_their_markup_are_only_text() -> None:
    svg = map_svg(map_of([(None, HOSTILE, 3), (HOSTILE, HOSTILE * 30, 3), (HOSTILE, None, 3)]))
    root = etree.fromstring(svg.encode())
    tags = {etree.QName(node).localname for node in root.iter()}
    assert tags == {"svg", "g", "title", "text", "rect", "path", "circle"}
    assert "alert(1)" in "".join(root.itertext())
    assert not re.search(r"\son\w+=|href=|<style|\sid=", svg)


def test_the_legend_says_how_much_of_the_whole_is_shown() -> None:
    whole = random_map(2, 25)
    for show, meaning in {
        "frequency": "path colour and width = frequency",
        "time": "path width = cases",
        "failures": "box colour = failed share",
    }.items():
        shown = simplify(whole, activities=0.3, paths=0.1)
        svg = map_svg(shown, show=show)  # type: ignore[arg-type]
        words = "".join(parts(svg)["legend"].itertext())
        assert f"{shown.activities.height} of 25 activities" in words
        assert f"{shown.paths.height} of {whole.paths.height} paths" in words
        assert meaning in words


def test_a_layout_that_stood_in_is_owned_up_to() -> None:
    svg = map_svg(random_map(2, 10), timeout=0)
    assert "plain layout" in "".join(parts(svg)["legend"].itertext())


def test_what_is_not_known_is_a_dash_and_grey_and_zero_is_zero() -> None:
    found = map_of([(None, "A", 4), ("A", "B", 4), ("B", None, 4)], failed={"B": 0},
                   times={"A": timedelta(minutes=45)})  # fmt: skip
    for show, figures in {"time": ["45 min", "–"], "failures": ["–", "0 %"]}.items():
        svg = map_svg(found, show=show)  # type: ignore[arg-type]
        boxes = parts(svg)["boxes"].findall("{*}g[@data-activity]")
        shown = {
            box.findall(".//{*}text")[0].text: box.findall(".//{*}text")[1].text for box in boxes
        }
        assert [shown["A"], shown["B"]] == figures
        grey = palette("light", "time").unknown
        fills = {
            box.findall(".//{*}text")[0].text: box.find("{*}rect").get("fill") for box in boxes
        }
        assert [fills[name] == grey for name in "AB"] == [figure == "–" for figure in figures]


def test_a_map_without_activities_says_so() -> None:
    assert "No activities in this selection" in map_svg(map_of([]))
    assert "No activities in this selection" in map_html(map_of([]))


@pytest.mark.parametrize("show", ["frequency", "time", "failures"])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_colours_can_be_read(theme: str, show: str) -> None:
    colours = palette(theme, show)
    for fill, ink in zip(colours.boxes, colours.inks, strict=True):
        assert contrast(fill, ink) >= 4.5
    for text in (colours.text, colours.muted, colours.end):
        assert contrast(text, colours.background) >= 4.5
    for line in (*colours.paths, *colours.against, colours.neutral, colours.border):
        assert contrast(line, colours.background) >= 3
    for ramp in (colours.boxes, colours.paths, colours.against):
        away = [contrast(colour, colours.background) for colour in ramp]
        assert away == sorted(away)


def test_text_shows_on_a_machine_without_fonts() -> None:
    svg = map_svg(map_of([(None, "Approve", 4), ("Approve", None, 4)]))
    without = re.sub(r"<text.*?</text>", "", svg)
    ink = np.abs(pixels(svg) - pixels(without)).max(axis=2) > 60
    assert ink.sum() > 500


def test_a_picture_has_the_size_it_was_asked_for() -> None:
    svg = map_svg(random_map(1, 8))
    wide = int(re.search(r'width="(\d+)"', svg)[1])  # type: ignore[index]
    with Image.open(io.BytesIO(map_png(svg, scale=3))) as image:
        assert image.width == 3 * wide
    with pytest.raises(ValueError, match="unknown token"):
        map_png("no picture")


def test_the_page_holds_prepared_views_and_opens_with_the_readable_one() -> None:
    whole = random_map(3, 40)
    page = map_html(whole, title=HOSTILE)
    data = json.loads(re.search(r'id="views">(.*?)</script>', page, re.DOTALL)[1])  # type: ignore[index]
    assert len(data["views"]) == len(data["activities"]) * len(data["paths"]) <= 12
    assert opening_view(whole)[0] in data["activities"]
    assert opening_view(whole)[1] in data["paths"]
    views = re.findall(r'<div class="view" id="view-(\d+)"( hidden)?>', page)
    assert [int(number) for number, _ in views] == list(range(len(views)))
    assert [hidden for _, hidden in views].count("") == 1


def test_the_page_runs_its_own_script_only_and_loads_nothing() -> None:
    arcs = [(None, HOSTILE, 3), (HOSTILE, None, 3)]
    page = map_html(map_of(arcs), title=HOSTILE)
    scripts = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    assert len(scripts) == 1
    digest = base64.b64encode(hashlib.sha256(scripts[0].encode()).digest()).decode()
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)[1]  # type: ignore[index]
    assert policy.startswith("default-src 'none'")
    assert f"script-src 'sha256-{digest}'" in policy
    assert "<script>alert" not in page
    outside = re.sub(r'xmlns="[^"]*"', "", page)
    assert not re.search(r"https?://|src=|@import|url\(", outside)
