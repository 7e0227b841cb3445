from bench.security import latency_leak


def test_order_is_a_guess_where_times_are_alike_and_certain_where_they_are_apart() -> None:
    alike = latency_leak.estimate_order([1.0, 2.0, 3.0, 4.0], [1.0, 2.0, 3.0, 4.0])
    assert alike["auc"] == 0.5
    assert alike["low"] < 0.5 < alike["high"]
    assert latency_leak.estimate_order([5.0, 6.0, 7.0], [1.0, 2.0, 3.0])["auc"] == 1
    assert latency_leak.estimate_order([1.0, 2.0, 3.0], [5.0, 6.0, 7.0])["auc"] == 0
