import pytest

from safety_core.engine.serving.queueing.rejections import (
    LONGEST_S,
    MANY_IMAGES,
    MANY_TOKENS,
    MAX_CLIENTS,
    Rejections,
)
from safety_core.errors import OverloadedError
from tests.helpers.clocks import FakeClock


def rejects(rejections: Rejections, client: str, pictures: int, tokens: int | None = None) -> bool:
    try:
        rejections.require_none(client, pictures, tokens)
    except OverloadedError as exc:
        return exc.retry_after_s >= 1
    return False


def test_for_a_moment_a_client_is_rejected_for_as_much_work_and_for_no_less() -> None:
    clock = FakeClock(100.0)
    rejections = Rejections(clock)
    assert not rejects(rejections, "a", 8, 1000)
    rejections.add("a", 2, 500, retry_after_s=30)
    assert rejects(rejections, "a", 2, 500)
    assert rejects(rejections, "a", 3, 900)
    assert not rejects(rejections, "a", 1, 900)
    assert not rejects(rejections, "a", 2, 499)
    assert not rejects(rejections, "b", 3, 900)
    clock.now += LONGEST_S + 0.01
    assert not rejects(rejections, "a", 3, 900)


def test_it_holds_no_longer_than_there_is_no_room() -> None:
    clock = FakeClock(100.0)
    rejections = Rejections(clock)
    rejections.add("a", 0, 500, retry_after_s=0.5)
    clock.now += 0.4
    assert rejects(rejections, "a", 0, 500)
    clock.now += 0.2
    assert not rejects(rejections, "a", 0, 500)


def test_before_the_text_is_known_only_many_pictures_count() -> None:
    rejections = Rejections(FakeClock(100.0))
    rejections.add("few", MANY_IMAGES - 1, 500, retry_after_s=1)
    assert not rejects(rejections, "few", MANY_IMAGES - 1)
    rejections.add("many", MANY_IMAGES, 500, retry_after_s=1)
    assert rejects(rejections, "many", MANY_IMAGES)
    assert not rejects(rejections, "many", 1)


@pytest.mark.parametrize("clients", [MAX_CLIENTS + 1, 3 * MAX_CLIENTS])
def test_few_clients_are_remembered_the_last_ones_among_them(clients: int) -> None:
    rejections = Rejections(FakeClock(100.0))
    for number in range(clients):
        rejections.add(str(number), 0, MANY_TOKENS, retry_after_s=1)
    assert len(rejections._last) == MAX_CLIENTS
    assert rejects(rejections, str(clients - 1), 0, MANY_TOKENS)
    assert not rejects(rejections, "0", 0, MANY_TOKENS)


def test_what_is_prepared_in_no_time_is_not_remembered() -> None:
    rejections = Rejections(FakeClock(100.0))
    rejections.add("a", MANY_IMAGES - 1, MANY_TOKENS - 1, retry_after_s=1)
    assert not rejects(rejections, "a", MANY_IMAGES, 10 * MANY_TOKENS)
