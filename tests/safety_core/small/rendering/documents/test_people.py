import pytest

from safety_core.errors import InputError
from safety_core.small.rendering.documents.countries import COUNTRIES
from safety_core.small.rendering.documents.people import compute_check_sum, create_person


def test_people_repeat_and_differ() -> None:
    assert create_person(7, "DE") == create_person(7, "DE")
    assert len({create_person(seed, "DE").name for seed in range(30)}) > 15
    assert len(COUNTRIES) == 12


@pytest.mark.parametrize("country", COUNTRIES)
def test_people_of_tests_have_names_and_streets_of_their_own(country: str) -> None:
    trained = [create_person(seed, country) for seed in range(60)]
    tested = [create_person(seed, country, "test") for seed in range(60)]
    for part in ("given", "family"):
        assert {getattr(person, part) for person in trained}.isdisjoint(getattr(person, part) for person in tested)


@pytest.mark.parametrize("country", COUNTRIES)
def test_no_number_can_be_anybodys(country: str) -> None:
    for seed in range(30):
        person = create_person(seed, country)
        assert compute_check_sum(person.card_number.replace(" ", "")) != 0
        assert "00" in person.account or "TEST" in person.account
        assert person.email.endswith(".example")
        assert person.email.isascii()


def test_the_check_sum_of_a_valid_number_is_0() -> None:
    assert compute_check_sum("4111111111111111") == 0


def test_an_unknown_country_is_an_error() -> None:
    with pytest.raises(InputError, match="country"):
        create_person(1, "XX")
