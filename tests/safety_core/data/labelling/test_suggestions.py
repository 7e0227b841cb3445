import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from safety_core.data.labelling.suggestions import BATCH, compute_uncertainty, propose_label, suggest_labels
from safety_core.data.samples import RiskLabel, Sample
from safety_core.errors import ConfigError, SampleError
from safety_core.scores import RiskScores
from safety_core.taxonomy import DEFAULT_TAXONOMY


def make_scores(sure: float, *, kind: int = 1, level: int = 3) -> RiskScores:
    """Scores that give a type and a level a probability each, and the others the rest."""
    types, levels = [(1 - sure) / 6] * 7, [(1 - sure) / 3] * 4
    types[kind] = levels[level] = sure
    return RiskScores(types=tuple(types), levels=tuple(levels))


def write_data(folder: Path, *texts: str | None, image: str | None = None) -> Path:
    """Write one record for each text; those without a text have a label."""
    records: list[dict[str, Any]] = [
        {
            "id": f"id {number}",
            "image": image,
            "conversations": [{"from": "USER", "value": text or "labelled"}],
            **({} if text else {"safe_type": 6, "safe_level": 0}),
        }
        for number, text in enumerate(texts)
    ]
    file = folder / "data.jsonl"
    file.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return file


def score_by_text(samples: Sequence[Sample]) -> list[RiskScores | SampleError | None]:
    """A scorer that is as sure as the text says; of others it has no verdict, or an error."""
    results: list[RiskScores | SampleError | None] = []
    for sample in samples:
        text = sample.turns[-1].text
        if text == "broken":
            results.append(sample.create_error("the image cannot be read", "image"))
        else:
            results.append(None if text == "none" else make_scores(float(text)))
    return results


def read_rows(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8-sig", newline="") as stream:
        return list(csv.DictReader(stream))


def test_the_most_uncertain_records_come_first(tmp_path: Path) -> None:
    data = write_data(tmp_path, "0.9", None, "0.3", "none", "0.6", "0.3")
    steps: list[tuple[str, int, int]] = []
    result = suggest_labels(
        data, tmp_path / "sheet.csv", DEFAULT_TAXONOMY, score_by_text, report=lambda *step: steps.append(step)
    )
    assert (result.written, result.unlabelled, result.labelled, result.without_verdict) == (5, 5, 1, 1)
    rows = read_rows(tmp_path / "sheet.csv")
    assert [row["text"] for row in rows] == ["none", "0.3", "0.3", "0.6", "0.9"]
    assert [row["line"] for row in rows] == ["4", "3", "6", "5", "1"]
    assert (rows[0]["type"], rows[0]["uncertainty"]) == ("", "1.0000")
    assert (rows[4]["type"], rows[4]["level"], rows[4]["confirmed"]) == ("illegal", "refuse", "")
    assert steps[-1] == ("records", 5, 5)


def test_a_limit_keeps_the_most_uncertain(tmp_path: Path) -> None:
    data = write_data(tmp_path, *[f"0.{number}" for number in range(30, 99)])
    result = suggest_labels(data, tmp_path / "sheet.csv", DEFAULT_TAXONOMY, score_by_text, limit=3)
    assert (result.written, result.unlabelled) == (3, 69)
    assert [row["text"] for row in read_rows(tmp_path / "sheet.csv")] == ["0.30", "0.31", "0.32"]


def test_few_records_are_scored_at_a_time(tmp_path: Path) -> None:
    sizes: list[int] = []

    def score(samples: Sequence[Sample]) -> list[RiskScores | SampleError | None]:
        sizes.append(len(samples))
        return score_by_text(samples)

    suggest_labels(write_data(tmp_path, *["0.5"] * (BATCH + 3)), tmp_path / "sheet.csv", DEFAULT_TAXONOMY, score)
    assert sizes == [BATCH, 3]


def test_a_sheet_that_exists_is_kept(tmp_path: Path) -> None:
    (tmp_path / "sheet.csv").write_text("work of an afternoon")
    with pytest.raises(ConfigError, match="exists already"):
        suggest_labels(write_data(tmp_path, "0.5"), tmp_path / "sheet.csv", DEFAULT_TAXONOMY, score_by_text)
    assert (tmp_path / "sheet.csv").read_text() == "work of an afternoon"
    with pytest.raises(ConfigError, match="no record lacks a label"):
        suggest_labels(write_data(tmp_path, None), tmp_path / "new.csv", DEFAULT_TAXONOMY, score_by_text)


def test_bad_records_stop_before_anything_is_scored(tmp_path: Path) -> None:
    def fail(samples: Sequence[Sample]) -> list[RiskScores | SampleError | None]:
        raise AssertionError("scored")

    data = write_data(tmp_path, "0.5", "0.6")
    data.write_text(data.read_text() + "no json\n")
    with pytest.raises(SampleError, match=r"data\.jsonl:3"):
        suggest_labels(data, tmp_path / "sheet.csv", DEFAULT_TAXONOMY, fail)
    result = suggest_labels(data, tmp_path / "sheet.csv", DEFAULT_TAXONOMY, score_by_text, skip_bad=True)
    assert (result.written, [error.line for error in result.skipped]) == (2, [3])


def test_images_that_cannot_be_read_stop_or_are_skipped(tmp_path: Path) -> None:
    data = write_data(tmp_path, "broken", "0.5")
    with pytest.raises(SampleError, match=r"data\.jsonl:1: image"):
        suggest_labels(data, tmp_path / "sheet.csv", DEFAULT_TAXONOMY, score_by_text)
    assert not (tmp_path / "sheet.csv").exists()
    result = suggest_labels(data, tmp_path / "sheet.csv", DEFAULT_TAXONOMY, score_by_text, skip_bad=True)
    assert (result.written, len(result.skipped)) == (1, 1)


@pytest.mark.parametrize(
    ("kind", "level", "label"),
    [(1, 3, RiskLabel(type=1, level=3)), (1, 0, RiskLabel(type=6, level=0)), (6, 2, RiskLabel(type=0, level=2))],
)
def test_the_level_decides_whether_a_type_is_risky(kind: int, level: int, label: RiskLabel) -> None:
    assert propose_label(make_scores(0.9, kind=kind, level=level), DEFAULT_TAXONOMY) == label


def test_uncertainty_is_0_for_certainty_and_1_for_even_scores() -> None:
    assert compute_uncertainty(make_scores(1.0)) == 0
    assert compute_uncertainty(RiskScores(types=(1 / 7,) * 7, levels=(0.25,) * 4)) == pytest.approx(1)
    assert 0 < compute_uncertainty(make_scores(0.9)) < compute_uncertainty(make_scores(0.6)) < 1
