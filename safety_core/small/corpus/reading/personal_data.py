"""What a text of the set ``pii`` reveals, by the entities that the set marks in it. Knows no labels."""

from collections.abc import Collection

_SECRET_NUMBERS = frozenset({"CREDIT_CARD", "IBAN_CODE", "US_SSN", "US_DRIVER_LICENSE"})
_CONTACTS = frozenset({"PHONE_NUMBER", "EMAIL_ADDRESS"})


def categorize_entities(entities: Collection[str], text: str) -> str:
    """Category of a text, from the gravest thing that it reveals; the rules for labels name the categories."""
    found = frozenset(entities)
    if not found.isdisjoint(_SECRET_NUMBERS):
        return "secret number"
    if not found.isdisjoint(_CONTACTS):
        return "contact"
    if "STREET_ADDRESS" in found:
        if "PERSON" in found:
            return "home address"
        return "business" if "ORGANIZATION" in found else "unclear"
    if found & {"PERSON", "DATE_TIME"} and any(word in text.lower() for word in ("birth", "born")):
        return "birth"
    if not found.isdisjoint({"PERSON", "AGE", "ZIP_CODE", "IP_ADDRESS"}):
        return "name only" if "PERSON" in found else "unclear"
    return "nothing personal"
