"""Cores that are occupied are not free for the model."""

import threading

from safety_core.engine.serving.cores import CoreShare


def test_occupied_cores_are_not_free_and_one_always_is() -> None:
    cores = CoreShare(2)
    assert cores.free == 2
    with cores.occupy():
        assert cores.free == 1
        with cores.occupy(), cores.occupy():
            assert cores.free == 1
    assert cores.free == 2


def test_a_core_is_free_again_after_an_error() -> None:
    cores = CoreShare(4)
    try:
        with cores.occupy():
            raise ValueError
    except ValueError:
        pass
    assert cores.free == 4


def test_threads_do_not_lose_count() -> None:
    cores = CoreShare(2)

    def work() -> None:
        for _ in range(2000):
            with cores.occupy():
                pass

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert cores.free == 2


def test_a_process_has_at_least_one_core() -> None:
    assert CoreShare().total >= 1
