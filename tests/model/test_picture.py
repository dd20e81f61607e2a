from __future__ import annotations

from xml.etree import ElementTree

from hypothesis import given, settings

from miner.model.picture import model_svg
from miner.model.process_model import model_of_net, model_of_tree
from miner.model.process_tree import Operator, ProcessTree, activity, tree
from miner.model.tree_net import net_of_tree
from tests.model.languages import trees

SVG = "{http://www.w3.org/2000/svg}"


@settings(max_examples=50, deadline=None)
@given(trees())
def test_every_activity_is_a_box_with_its_name_as_tooltip(found: ProcessTree) -> None:
    for model in (model_of_tree("random", found), model_of_net("random", net_of_tree(found))):
        root = ElementTree.fromstring(model_svg(model))
        titles = [title.text for title in root.iter(f"{SVG}title")]
        # A choice between equal parts is drawn once.
        assert set(titles) == set(found.labels())
        assert len(root.findall(f"{SVG}circle")) == 2


def test_names_are_text_and_never_markup() -> None:
    nasty = "<script>alert('x')</script> & \" \0"
    text = model_svg(model_of_tree(nasty, tree(Operator.SEQUENCE, activity(nasty))))
    assert "<script" not in text
    title = ElementTree.fromstring(text).find(f".//{SVG}title")
    assert title is not None
    assert title.text == "<script>alert('x')</script> & \" \ufffd"


def test_the_picture_is_a_picture() -> None:
    import resvg_py

    model = model_of_tree("x", tree(Operator.PARALLEL, activity("a"), activity("b")))
    assert bytes(resvg_py.svg_to_bytes(svg_string=model_svg(model)))[:4] == b"\x89PNG"
