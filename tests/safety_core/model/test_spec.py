import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from safety_core.errors import CheckpointError, ConfigError, FormatVersionError
from safety_core.inputs.head_texts import TextViews
from safety_core.model.config import BackboneDims, SafetyConfig
from safety_core.model.hints import create_default_hints
from safety_core.model.spec import SPEC_FILE, BackboneRef, CheckpointSpec, read_spec, write_spec
from safety_core.score_calibration import ScoreCalibration
from safety_core.taxonomy import DEFAULT_TAXONOMY

DIMS = BackboneDims(vision_width=24, llm_width=32, patch_grid=4, vision_depth=2)
SPEC = CheckpointSpec(
    backbone=BackboneRef(hub_id="llava-hf/llava-1.5-7b-hf", revision="a" * 40),
    dims=DIMS,
    config=SafetyConfig.create_default(DIMS),
    taxonomy=DEFAULT_TAXONOMY,
    hints=create_default_hints(DEFAULT_TAXONOMY),
    provenance={"trained": True, "data": {"samples": 3}},
)


def test_spec_survives_its_file(tmp_path: Path) -> None:
    write_spec(tmp_path, SPEC)
    assert read_spec(tmp_path) == SPEC
    assert read_spec(tmp_path).trained


def test_a_format_version_is_compared_as_a_number(tmp_path: Path) -> None:
    (tmp_path / SPEC_FILE).write_text(json.dumps(SPEC.to_dict() | {"format_version": 1.0}))
    assert read_spec(tmp_path) == SPEC


def test_text_views_are_written_only_where_some_are_off(tmp_path: Path) -> None:
    assert "text_views" not in SPEC.to_dict()
    fewer = replace(SPEC, text_views=TextViews(disguises=False))
    assert read_spec(write_spec(tmp_path, fewer).parent) == fewer


def test_the_reader_is_written_only_where_there_is_one(tmp_path: Path) -> None:
    assert "reader" not in SPEC.to_dict()
    assert read_spec(write_spec(tmp_path, SPEC).parent).reader is None
    with_reader = replace(SPEC, reader="rapidocr")
    assert read_spec(write_spec(tmp_path, with_reader).parent) == with_reader


def test_the_recalibration_of_scores_is_written_only_where_there_is_one(tmp_path: Path) -> None:
    assert "score_calibration" not in SPEC.to_dict()
    assert read_spec(write_spec(tmp_path, SPEC).parent).score_calibration == ScoreCalibration()
    own = ScoreCalibration(type_temperature=1.5, risk_offsets=(0.5, 0.0, -0.5))
    calibrated = replace(SPEC, score_calibration=own)
    assert read_spec(write_spec(tmp_path, calibrated).parent) == calibrated


@pytest.mark.parametrize("version", [None, 0, 2, "1"])
def test_unknown_format_version(tmp_path: Path, version: object) -> None:
    (tmp_path / SPEC_FILE).write_text(json.dumps(SPEC.to_dict() | {"format_version": version}))
    with pytest.raises(FormatVersionError, match="1 is needed"):
        read_spec(tmp_path)


@pytest.mark.parametrize(
    ("change", "names"),
    [
        ({"surplus": 1}, "surplus"),
        ({"backbone": {}}, "backbone"),
        ({"backbone": {"path": "a", "hub_id": "b"}}, "backbone"),
        ({"backbone": {"hub_id": "b"}}, "revision"),
        ({"backbone": {"path": 3}}, "backbone"),
        ({"backbone": "here"}, "backbone"),
        ({"dims": {}}, "dims"),
        ({"config": None}, "config"),
        ({"taxonomy": {"types": ["a", "b"], "levels": ["x", "y"]}}, "safe_type"),
        ({"hints": {"nonsense": {}}}, "nonsense"),
        ({"hints": {"safe": {"caution": "x"}}}, "safe"),
        ({"hints": {"privacy": {"refuse": "x"}}}, "refuse"),
        ({"hints": {"privacy": {"caution": " "}}}, "privacy.caution"),
        ({"provenance": {}}, "trained"),
        ({"reader": "tesseract"}, "reader"),
        ({"reader": 3}, "reader"),
        ({"text_views": {"sentences": True}}, "text_views"),
        ({"text_views": {"sentences": True, "disguises": 1, "windows": True}}, "text_views.disguises"),
        (
            {"text_views": {"sentences": True, "disguises": True, "windows": True, "fewest_sentences": 1}},
            "text_views.fewest_sentences",
        ),
        ({"provenance": {"trained": "yes"}}, "trained"),
        ({"score_calibration": {"temperature": 2.0}}, "score_calibration.temperature"),
        ({"score_calibration": {"risk_offsets": [0.0]}}, "score_calibration.risk_offsets"),
    ],
)
def test_malformed_fields_are_named(change: dict[str, Any], names: str) -> None:
    with pytest.raises(ConfigError, match=names):
        CheckpointSpec.parse(SPEC.to_dict() | change)


def test_missing_field_is_named() -> None:
    data = SPEC.to_dict()
    del data["hints"]
    with pytest.raises(ConfigError, match=r"^hints: the field is missing"):
        CheckpointSpec.parse(data)


def test_a_spec_is_an_object() -> None:
    with pytest.raises(ConfigError, match="object"):
        CheckpointSpec.parse([])


@pytest.mark.parametrize("content", [None, "{", "[]"])
def test_unreadable_file_is_a_checkpoint_error(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / SPEC_FILE).write_text(content)
    with pytest.raises(CheckpointError, match=SPEC_FILE):
        read_spec(tmp_path)


def test_file_and_field_of_a_malformed_spec_are_named(tmp_path: Path) -> None:
    data = SPEC.to_dict()
    data["config"] = SPEC.config.to_dict() | {"head": SPEC.config.to_dict() | {"num_heads": "8"}}
    (tmp_path / SPEC_FILE).write_text(json.dumps(data))
    with pytest.raises(CheckpointError, match=rf"^{tmp_path.name}: {SPEC_FILE}: config\.head\.num_heads: an integer"):
        read_spec(tmp_path)


def test_a_relative_backbone_is_seen_from_its_checkpoint(tmp_path: Path) -> None:
    seen = BackboneRef(path="../backbone").make_absolute(tmp_path / "checkpoint")
    assert seen.location == str((tmp_path / "backbone").resolve())
    assert SPEC.backbone.make_absolute(tmp_path) == SPEC.backbone
    assert SPEC.backbone.location == "llava-hf/llava-1.5-7b-hf"
