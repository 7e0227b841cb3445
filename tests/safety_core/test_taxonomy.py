import json
from pathlib import Path
from typing import Any

import pytest

from safety_core.errors import ConfigError
from safety_core.taxonomy import DEFAULT_TAXONOMY, Taxonomy, read_taxonomy


def test_the_default_is_the_papers() -> None:
    assert DEFAULT_TAXONOMY.types == (
        "politics",
        "illegal",
        "insults_bullying",
        "fairness",
        "privacy",
        "misleading",
        "safe",
    )
    assert DEFAULT_TAXONOMY.levels == ("safe", "caution", "may_refuse", "refuse")
    assert DEFAULT_TAXONOMY.safe_index == 6


def test_the_safe_type_may_stand_anywhere() -> None:
    taxonomy = Taxonomy(types=("spam", "fine", "scam"), levels=("ok", "no"), safe_type="fine")
    assert taxonomy.safe_index == 1
    assert taxonomy.risky_types == ("spam", "scam")


def test_it_survives_json() -> None:
    assert Taxonomy.parse(json.loads(json.dumps(DEFAULT_TAXONOMY.to_dict()))) == DEFAULT_TAXONOMY


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"types": ["safe"]}, "types"),
        ({"levels": []}, "levels"),
        ({"types": ["a", "a", "safe"]}, "types"),
        ({"types": ["", "safe"]}, "types"),
        ({"types": ["a", "b"]}, "safe_type"),
        ({"types": "safe, unsafe"}, "types"),
        ({"levels": [1, 2]}, "levels"),
        ({"levels": None}, "levels"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_malformed_taxonomies_name_the_field(change: dict[str, Any], field: str) -> None:
    with pytest.raises(ConfigError, match=field):
        Taxonomy.parse(DEFAULT_TAXONOMY.to_dict() | change)


def test_a_taxonomy_is_read_from_a_file_or_is_the_default(tmp_path: Path) -> None:
    assert read_taxonomy(None) == DEFAULT_TAXONOMY
    file = tmp_path / "taxonomy.json"
    file.write_text('{"types": ["fine", "spam"], "levels": ["ok", "block"], "safe_type": "fine"}', encoding="utf-8")
    assert read_taxonomy(file).risky_types == ("spam",)
