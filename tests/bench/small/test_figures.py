"""On a busy machine the bars hold for processor time."""

from bench.contenders.bare_parts import Cost
from bench.small.figures import Figure


def create_figure(bare_s: list[float]) -> Figure:
    return Figure(
        name="verdict",
        part="verdict",
        picture="scene",
        bar_s=0.4,
        costs=[Cost(0.3, 0.5)] * len(bare_s),
        bare=[Cost(one, 0.1) for one in bare_s],
    )


def test_an_idle_machine_is_measured_by_duration() -> None:
    figure = create_figure([0.10, 0.11, 0.11, 0.11, 0.30])
    assert not figure.is_busy
    bar = figure.create_bar()
    assert (bar.what, bar.measured, bar.wanted, bar.cleared) == ("verdict, ms", 300, "≤ 400", True)


def test_a_busy_machine_is_measured_by_processor_time() -> None:
    figure = create_figure([0.10, 0.13, 0.13, 0.13, 0.10])
    assert figure.is_busy
    bar = figure.create_bar()
    assert (bar.what, bar.measured, bar.cleared) == ("verdict, CPU ms", 500, False)
    assert figure.estimate_ratio("cpu_s").median == 5
