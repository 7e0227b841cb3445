import pytest

from safety_core.small.corpus.reading.personal_data import categorize_entities


@pytest.mark.parametrize(
    ("entities", "text", "category"),
    [
        (["PERSON", "CREDIT_CARD"], "", "secret number"),
        (["PERSON", "PHONE_NUMBER"], "", "contact"),
        (["PERSON", "STREET_ADDRESS", "ORGANIZATION"], "", "home address"),
        (["STREET_ADDRESS", "ORGANIZATION"], "", "business"),
        (["STREET_ADDRESS"], "", "unclear"),
        (["DATE_TIME"], "Date of birth", "birth"),
        (["DATE_TIME"], "Founded in May", "nothing personal"),
        (["PERSON", "GPE"], "", "name only"),
        (["AGE"], "", "unclear"),
        ([], "", "nothing personal"),
    ],
)
def test_the_gravest_thing_counts(entities: list[str], text: str, category: str) -> None:
    assert categorize_entities(entities, text) == category
