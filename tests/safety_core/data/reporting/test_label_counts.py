from pathlib import Path

from safety_core.data.reporting.label_counts import OTHER_SOURCES, count_file
from safety_core.taxonomy import DEFAULT_TAXONOMY
from tests.helpers.datasets.sample_records import make_record, write_records


def test_records_are_counted_by_label_and_content(folder: Path) -> None:
    path = write_records(
        folder,
        make_record(),
        make_record(id="2", safe_type=6, safe_level=0, image=None, image_risk=None, source="other"),
        make_record(id="3", conversations=[], image_risk=None),
        make_record(id="4", safe_type=None, safe_level=None, image_risk=None),
        make_record(id="5", safe_type=99),
        "text",
    )
    steps: list[int] = []
    counts = count_file(path, DEFAULT_TAXONOMY, advance=steps.append)
    assert (counts.records, counts.unlabelled, counts.malformed) == (4, 1, 2)
    assert (counts.clean, counts.risky, counts.risky_per_clean) == (1, 2, 2.0)
    assert (counts.with_images, counts.without_words, counts.with_surfaces) == (3, 1, 1)
    assert counts.sources == {"test": 3, "other": 1}
    assert [error.line for error in counts.errors] == [5, 6]
    assert steps == [1, 2, 3, 4, 5, 6]
    document = counts.to_dict()
    assert document["labels"]["illegal"] == {"may_refuse": 2}
    assert document["labels"]["safe"] == {"safe": 1}


def test_a_file_without_clean_records_has_no_ratio(folder: Path) -> None:
    assert count_file(write_records(folder, make_record()), DEFAULT_TAXONOMY).risky_per_clean is None


def test_many_sources_and_errors_do_not_grow_the_report(folder: Path) -> None:
    records = [make_record(id=str(number), source=f"source {number}") for number in range(150)]
    counts = count_file(write_records(folder, *records, *["text"] * 50), DEFAULT_TAXONOMY)
    assert len(counts.sources) == 101
    assert counts.sources[OTHER_SOURCES] == 50
    assert (counts.malformed, len(counts.errors)) == (50, 20)
