"""What no guard can promise is measured and published: the page shows the newest records and nothing else."""

import json

from bench import latency_leak, robustness
from bench.summary import newest
from tests.service.clients import ROOT

PAGE = (ROOT / "docs" / "robustness.md").read_text(encoding="utf-8")


def shown(name: str) -> str:
    """What stands between two marks of the page."""
    return PAGE.split(f"<!-- {name} -->\n")[1].split(f"<!-- /{name} -->")[0]


def test_pgd_typography_jpeg() -> None:
    record = newest()["robustness"]
    assert shown("robustness") == robustness.table(record)
    found = json.loads(record.read_text(encoding="utf-8"))["figures"]["passed"]
    assert set(found) == set(robustness.TITLES)
    assert found["clean"]["allowed"]["count"] > 1000
    assert found["pgd_8"]["not_refused"]["count"] >= 100


def test_fingerprinting_by_the_clock() -> None:
    record = newest()["latency_leak"]
    assert shown("latency_leak") == latency_leak.table(record)
    found = json.loads(record.read_text(encoding="utf-8"))["figures"]
    assert {tuple(by) for by in found["ordered"].values()} == {tuple(latency_leak.QUESTIONS)}
    assert found["rounds"] >= 100
