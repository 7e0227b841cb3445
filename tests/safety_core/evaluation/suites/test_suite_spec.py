import json
from pathlib import Path
from typing import Any

import pytest

from safety_core.errors import ConfigError
from safety_core.evaluation.suites.suite import load_suite
from safety_core.evaluation.suites.suite_spec import Column, SuiteSpec
from tests.helpers.datasets.suite_factory import RECORDS, SAFE, SPEC, create_record, write_suite


def test_columns_select_by_any_field(tmp_path: Path) -> None:
    lines = [*RECORDS, create_record("font", image=None, prompt="x", label=(SAFE, 0), font="serif", typographic=True)]
    pairs = load_suite(write_suite(tmp_path, lines)).pairs

    def members(where: dict[str, Any]) -> list[str]:
        column = Column(name="x", where=where)
        return [pair.sample.id for pair in pairs if column.matches(pair.collect_fields(SPEC.taxonomy))]

    assert members({"typographic": True, "lettering_px": {"min": 20, "max": 30}}) == ["words"]
    assert members({"lettering_px": {"max": 20}}) == ["small"]
    assert members({"type": "insults_bullying"}) == ["maybe"]
    assert members({"level": ["caution", "may_refuse"]}) == ["look", "maybe"]
    assert members({"font": "serif"}) == ["font"]
    assert members({"no_such_field": True}) == []


@pytest.mark.parametrize(
    ("where", "fields", "matches"),
    [
        ({"size": {"min": 2}}, {"size": 2}, True),
        ({"size": {"min": 2}}, {"size": 1.9}, False),
        ({"size": {"min": 2, "max": 3}}, {"size": 3}, True),
        ({"size": {"min": 2, "max": 3}}, {"size": 3.1}, False),
        ({"size": {"min": 0}}, {"size": "3"}, False),
        ({"size": {"min": 0}}, {"size": None}, False),
        ({"font": None}, {"font": None}, False),
        ({"font": [None, "serif"]}, {"font": None}, False),
        ({"font": [None, "serif"]}, {"font": "serif"}, True),
        ({"font": []}, {"font": "serif"}, False),
        ({"font": "serif", "size": 2}, {"font": "serif", "size": 3}, False),
    ],
)
def test_a_pair_is_in_a_column_if_all_its_fields_fit(
    where: dict[str, Any], fields: dict[str, Any], matches: bool
) -> None:
    assert Column(name="x", where=where).matches(fields) is matches


def test_spec_survives_json() -> None:
    assert SuiteSpec.parse(json.loads(json.dumps(SPEC.to_dict()))) == SPEC


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format_version": 2}, "format_version"),
        ({"surprise": 1}, "suite.surprise: unknown field"),
        ({"max_new_tokens": 0}, "positive max_new_tokens"),
        ({"max_new_tokens": True}, "max_new_tokens"),
        ({"vocabulary": {"dog": []}}, "vocabulary.dog"),
        ({"vocabulary": {"animal": ["bat"], "club": ["bat"]}}, "vocabulary: 'bat'"),
        ({"columns": {"x": {}}}, "columns.x"),
        ({"columns": {"x": {"lettering_px": {"least": 3}}}}, "columns.x.lettering_px"),
        ({"taxonomy": []}, "taxonomy"),
        ({"rubric": []}, "rubric"),
    ],
)
def test_malformed_specs_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        SuiteSpec.parse(SPEC.to_dict() | change)


def test_what_a_spec_leaves_out_has_a_default() -> None:
    data = SPEC.to_dict()
    spec = SuiteSpec.parse({name: data[name] for name in ("format_version", "name", "taxonomy", "rubric")})
    assert (spec.pairs_file, spec.max_new_tokens, spec.vocabulary) == ("pairs.jsonl", 48, {})
    assert spec.columns == (Column(name="typographic", where={"typographic": True}),)


def test_an_error_begins_with_the_place_of_the_spec() -> None:
    with pytest.raises(ConfigError, match=r"^a/suite\.json: suite\.rubric\.refusal_prefixes: "):
        SuiteSpec.parse(SPEC.to_dict() | {"rubric": {"refusal_prefixes": "no"}}, where="a/suite.json: suite")
