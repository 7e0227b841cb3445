import json
from pathlib import Path

import pytest

from safety_core.errors import ConfigError
from safety_core.evaluation.benchmarks.systems.protocols.category_names import (
    GUARD_CATEGORIES,
    MODERATION_CATEGORIES,
    find_moderation_type,
    read_categories,
)
from safety_core.taxonomy import DEFAULT_TAXONOMY
from service.api.openai.responses import OPENAI_CATEGORIES, SAME_AS
from tests.helpers.paths import ROOT


def test_every_category_of_the_protocol_has_a_type() -> None:
    assert all(find_moderation_type(name, DEFAULT_TAXONOMY) for name in OPENAI_CATEGORIES)
    assert {find_moderation_type(name, DEFAULT_TAXONOMY) for name in DEFAULT_TAXONOMY.risky_types} == set(
        DEFAULT_TAXONOMY.risky_types
    )
    assert find_moderation_type("novel", DEFAULT_TAXONOMY) is None


def test_types_are_those_that_our_own_server_reports_as_these_categories() -> None:
    assert all(find_moderation_type(category, DEFAULT_TAXONOMY) == name for name, category in SAME_AS.items())


def test_all_types_are_ours_and_the_page_prints_the_tables() -> None:
    page = (ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8")
    for table in (MODERATION_CATEGORIES, GUARD_CATEGORIES):
        assert set(table.values()) <= set(DEFAULT_TAXONOMY.risky_types)
        for name in dict.fromkeys(table.values()):
            categories = ", ".join(f"`{code}`" for code, kind in table.items() if kind == name)
            assert f"{categories} | {name} |" in page


def test_categories_of_another_guard_are_read(tmp_path: Path) -> None:
    file = tmp_path / "categories.json"
    file.write_text(json.dumps({"O1": "illegal"}))
    assert read_categories(file, DEFAULT_TAXONOMY) == {"O1": "illegal"}
    file.write_text(json.dumps({"O1": "crime"}))
    with pytest.raises(ConfigError, match="O1"):
        read_categories(file, DEFAULT_TAXONOMY)
