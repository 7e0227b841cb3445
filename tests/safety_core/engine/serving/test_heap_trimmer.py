"""Freed memory goes back to the system after large work, and not all the time."""

from dataclasses import dataclass, field

from safety_core.engine.serving.heap_trimmer import HeapTrimmer
from safety_core.heap import read_resident_bytes, trim_heap


@dataclass
class Process:
    """A process whose memory the test decides on."""

    held: int | None = 100
    now: float = 0.0
    trims: list[float] = field(default_factory=list)

    def trim(self) -> None:
        self.trims.append(self.now)
        self.held = 110

    def trimmer(self) -> HeapTrimmer:
        return HeapTrimmer(
            least_growth=50, least_pause_s=10, trim=self.trim, resident=lambda: self.held, clock=lambda: self.now
        )


def test_only_growth_is_worth_a_trim_and_not_too_often() -> None:
    process = Process()
    trimmer = process.trimmer()
    assert not trimmer.trim_if_due()
    process.held = 149
    assert not trimmer.trim_if_due()
    process.held = 1000
    assert trimmer.trim_if_due()
    process.held, process.now = 1000, 9.0
    assert not trimmer.trim_if_due(), "too soon"
    process.now = 10.0
    assert trimmer.trim_if_due()
    process.now = 30.0
    assert not trimmer.trim_if_due()
    assert process.trims == [0.0, 10.0]


def test_a_process_that_shrank_by_itself_counts_from_there() -> None:
    process = Process(held=1000)
    trimmer = process.trimmer()
    process.held = 100
    assert not trimmer.trim_if_due()
    process.held = 200
    assert trimmer.trim_if_due()


def test_where_nothing_is_known_nothing_is_done() -> None:
    process = Process(held=None)
    assert not process.trimmer().trim_if_due()


def test_the_real_ones_work_here() -> None:
    trim_heap()
    held = read_resident_bytes()
    assert held is None or held > 1 << 20
