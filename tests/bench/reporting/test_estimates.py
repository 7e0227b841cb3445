import pytest

from bench.reporting.estimates import estimate_median, estimate_ratio, estimate_share, get_quantile


def test_a_median_lies_in_its_interval_which_narrows_with_more_samples() -> None:
    few, many = estimate_median([1.0, 2.0, 9.0]), estimate_median([1.0, 2.0, 9.0] * 50)
    assert few.low <= few.median == 2.0 <= few.high
    assert (few.low, few.high) == (1.0, 9.0)
    assert many.high - many.low < few.high - few.low
    assert estimate_median([3.0]).to_dict() == {"median": 3.0, "low": 3.0, "high": 3.0, "count": 1}


def test_a_ratio_is_taken_round_by_round() -> None:
    # Both contenders were slowed tenfold in the second round; the ratio does not notice.
    assert estimate_ratio([2.0, 20.0, 2.0], [1.0, 10.0, 1.0]).median == 2.0
    with pytest.raises(ValueError, match="zip"):
        estimate_ratio([1.0], [1.0, 2.0])


def test_nothing_measured_is_no_figure() -> None:
    with pytest.raises(ValueError, match="nothing was measured"):
        estimate_median([])


def test_quantiles() -> None:
    samples = [float(number) for number in range(100)]
    assert (get_quantile(samples, 0.0), get_quantile(samples, 0.95), get_quantile(samples, 1.0)) == (0.0, 95.0, 99.0)


def test_a_share_has_wilsons_interval() -> None:
    none, half, every = estimate_share(0, 100), estimate_share(50, 100), estimate_share(100, 100)
    assert (none.low, round(none.high, 3)) == (0.0, 0.037)
    assert (round(half.low, 3), half.share, round(half.high, 3)) == (0.404, 0.5, 0.596)
    assert (round(every.low, 3), every.high) == (0.963, 1.0)
    with pytest.raises(ValueError, match="nothing was measured"):
        estimate_share(0, 0)
