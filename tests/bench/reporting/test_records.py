import json
from pathlib import Path

from bench.paths import RESULTS
from bench.reporting.records import write_record


def test_a_measurement_says_where_it_was_made_even_in_a_new_folder(tmp_path: Path) -> None:
    path = write_record("start", {"ready_s_median": 1.5}, folder=tmp_path / "new" / "results")
    record = json.loads(path.read_text(encoding="utf-8"))
    assert path.name == f"start-{record['date']}.json"
    assert record["figures"] == {"ready_s_median": 1.5}
    assert record["cores"] >= 1
    assert record["cpu"]
    assert set(record["packages"]) >= {"torch", "transformers"}


def test_a_second_measurement_of_the_day_replaces_the_first(tmp_path: Path) -> None:
    first, second = (write_record("start", {"round": number}, folder=tmp_path) for number in (1, 2))
    assert first == second
    assert json.loads(second.read_text(encoding="utf-8"))["figures"] == {"round": 2}


def test_the_page_of_the_nano_quotes_the_recorded_start() -> None:
    page = (RESULTS.parents[1] / "docs" / "nano.md").read_text(encoding="utf-8")
    quoted = [path for path in RESULTS.glob("start-*.json") if f"bench/results/{path.name}" in page]
    assert quoted
    for path in quoted:
        figures = json.loads(path.read_text(encoding="utf-8"))["figures"]
        assert f"{figures['ready_s_median']:.1f} s" in page
        assert f"{figures['classify_ms_p50']:.0f} ms" in page
        assert f"{figures['classify_ms_p95']:.0f} ms" in page
        # What the project promises for two cores; the record says of which machine it is.
        assert figures["ready_s_max"] <= 15
        assert figures["classify_ms_p95"] < 100
