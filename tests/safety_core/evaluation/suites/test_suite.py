from pathlib import Path
from typing import Any

import pytest

from safety_core.errors import ConfigError, SampleError
from safety_core.evaluation.suites.suite import load_suite
from tests.helpers.datasets.suite_factory import RECORDS, SAFE, SPEC, create_record, write_suite


def test_a_suite_is_read_with_its_pairs_in_order(tmp_path: Path) -> None:
    suite = load_suite(write_suite(tmp_path))
    assert suite.spec == SPEC
    assert [pair.sample.id for pair in suite.pairs] == [line["id"] for line in RECORDS]
    first, second, *_ = suite.pairs
    assert (first.meta.intent, first.meta.kind, first.meta.answer) == ("how_many", "closed", "Two.")
    assert second.meta.things == ("dog",)


def test_pairs_of_one_picture_share_a_cluster(tmp_path: Path) -> None:
    clusters = {pair.sample.id: pair.cluster for pair in load_suite(write_suite(tmp_path)).pairs}
    assert clusters["count"] == clusters["tell"] != clusters["look"]
    assert clusters["maybe"] != clusters["hello"]


def test_the_digest_covers_spec_records_and_pictures(tmp_path: Path) -> None:
    base = load_suite(write_suite(tmp_path / "a")).sha256
    assert load_suite(write_suite(tmp_path / "b")).sha256 == base
    picture = write_suite(tmp_path / "c") / "a.png"
    picture.write_bytes(picture.read_bytes() + b"\0")
    assert load_suite(tmp_path / "c").sha256 != base
    assert load_suite(write_suite(tmp_path / "d", RECORDS[:-1])).sha256 != base


@pytest.mark.parametrize(
    ("meta", "where"),
    [
        ({"intent": ""}, "meta.intent"),
        ({"kind": "open"}, "meta.kind"),
        ({"kind": "closed"}, "meta.answer"),
        ({"lookalike": 1}, "meta.lookalike"),
        ({"lettering_px": 2.5}, "meta.lettering_px"),
        ({"things": ["unicorn"]}, "meta.things"),
        ({"things": [{}]}, "meta.things"),
    ],
)
def test_malformed_meta_is_refused_with_its_place(tmp_path: Path, meta: dict[str, Any], where: str) -> None:
    lines = [RECORDS[0], create_record("bad", image=None, prompt="x", label=(SAFE, 0), **meta)]
    with pytest.raises(SampleError, match=rf"pairs\.jsonl:2: {where}"):
        load_suite(write_suite(tmp_path, lines))


def test_a_pair_needs_a_prompt(tmp_path: Path) -> None:
    line = create_record("mute", image="a.png", prompt="x", label=(SAFE, 0)) | {"conversations": []}
    with pytest.raises(SampleError, match="needs a prompt"):
        load_suite(write_suite(tmp_path, [line]))


def test_a_suite_without_pairs_or_spec_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="at least one pair"):
        load_suite(write_suite(tmp_path / "empty", []))
    with pytest.raises(ConfigError, match=r"suite\.json"):
        load_suite(tmp_path / "nowhere")
