"""The pages about sources: complete, and their example configurations are accepted."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from ingest.registry import source_class, source_names
from ingest.secrets import variable
from ingest.source import Secret, options_of
from ingest.sync import configured

PAGES = sorted((Path(__file__).parent.parent / "docs" / "sources").glob("*.md"))
INDEX = PAGES[[page.name for page in PAGES].index("README.md")].read_text(encoding="utf-8")


def examples(page: Path) -> list[str]:
    blocks = re.findall(r"```toml\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    return [block for block in blocks if "[sources." in block]


def test_every_source_has_a_row_in_the_index() -> None:
    for name in source_names():
        assert f"`{name}`" in INDEX, name


def test_every_link_of_the_index_leads_to_a_page() -> None:
    for target in re.findall(r"\]\(([a-z0-9-]+\.md)\)", INDEX):
        assert (PAGES[0].parent / target).is_file(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_example_configuration_of_a_page_is_accepted(
    page: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if page.name != "mapping.md":
        assert examples(page), page.name
    for text in examples(page):
        tables = tomllib.loads(text)["sources"]
        for name, table in tables.items():
            for option in options_of(source_class(table["source"])):
                if issubclass(option.type, Secret):
                    monkeypatch.setenv(variable(name, option.name), "s3cret")
        assert [each.name for each in configured(tables)] == list(tables)
