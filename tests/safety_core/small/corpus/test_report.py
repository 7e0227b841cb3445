from pathlib import Path

from safety_core.small.corpus.loading import load_records
from safety_core.small.corpus.report import format_report, format_sources
from safety_core.small.corpus.sources import SOURCES
from tests.helpers.datasets.world_folder import TEXTS


def test_the_report_counts_and_never_shows_a_text(world: Path, tmp_path: Path) -> None:
    corpus = load_records(world, texts=tmp_path, cache=None)
    report = format_report(corpus)
    rows = {row.split(" | ")[0].strip("| "): row for row in report.splitlines() if row.startswith("| ")}
    trained = sum(record.split == "train" for record in corpus.records)
    assert rows["all"].split(" | ")[1] == str(trained)
    assert rows["hatecheck"].count("|") == 7
    assert "illegal 3" in rows
    assert "share-alike" in rows
    assert "strongreject" in report.partition("## Missing sets")[2]
    assert "benign_t0" in report.partition("## Left out")[2]
    texts = [str(row["text"]) for set_rows in TEXTS.values() for row in set_rows]
    assert not any(text in report for text in texts)


def test_every_source_is_a_row() -> None:
    rows = format_sources().splitlines()[2:]
    assert [row.split(" | ")[0].strip("| ") for row in rows] == list(SOURCES)
