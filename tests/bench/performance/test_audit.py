from pathlib import Path

from bench.performance.audit import choose_threshold, draw_pictures


def test_the_planted_share_is_drawn_and_named(tmp_path: Path) -> None:
    names = draw_pictures(tmp_path / "a", 20, "seed", planted=0.1)
    again = draw_pictures(tmp_path / "b", 20, "seed", planted=0.1)
    assert names == again
    assert len(names) == 2
    files = sorted((tmp_path / "a").iterdir())
    assert len(files) == 20
    assert [file.read_bytes() for file in files] == [file.read_bytes() for file in sorted((tmp_path / "b").iterdir())]


def test_the_threshold_is_the_lowest_that_is_precise_enough() -> None:
    found = [(0.9 + number / 1000, True) for number in range(50)]
    assert choose_threshold(found, 1000, 0.5) == 0.9
    assert choose_threshold([*found, (0.5, True), *[(0.6, False)] * 300], 1000, 0.5) == 0.9
    # Where planted pictures are rare, half a false alarm in a thousand matters.
    assert choose_threshold(found, 10_000, 0.01) == 0.9
    assert choose_threshold(found, 100, 0.01) == 1.0
