"""What a server holds: policies by name and language, and digests that tell them apart."""

from dataclasses import replace

import pytest

from safety_core.policy.named_policies import ActivePolicy, Mode, PolicyBook
from safety_core.policy.policy import Policy
from safety_core.taxonomy import DEFAULT_TAXONOMY

POLICY = Policy.create_default(DEFAULT_TAXONOMY)
OWN = ActivePolicy(policy=POLICY)
GERMAN = ActivePolicy(policy=replace(POLICY, fallback_refusal="Nein."))
BRAZILIAN = ActivePolicy(policy=replace(POLICY, fallback_refusal="Não."))
BOOK = PolicyBook(policies={"default": {"": OWN, "en": OWN, "de": GERMAN, "pt-br": BRAZILIAN}})


@pytest.mark.parametrize(
    ("languages", "active"),
    [
        ([], OWN),
        (["de"], GERMAN),
        (["DE-at"], GERMAN),
        (["pt-BR"], BRAZILIAN),
        (["pt"], OWN),
        (["fr", "de"], GERMAN),
        (["en", "de"], OWN),
        (["en-GB", "de"], OWN),
        (["", "-", "*"], OWN),
    ],
)
def test_the_first_language_that_is_spoken_counts(languages: list[str], active: ActivePolicy) -> None:
    assert BOOK.select("default", languages) is active


def test_there_is_no_policy_but_those_in_the_book() -> None:
    with pytest.raises(KeyError):
        BOOK.select("strict")


@pytest.mark.parametrize(
    "other",
    [
        replace(OWN, name="strict"),
        replace(OWN, policy=GERMAN.policy),
        replace(OWN, hints={"privacy": {1: "Mind it."}}),
        replace(OWN, mode=Mode.SHADOW),
        replace(OWN, beside=(GERMAN,)),
    ],
)
def test_whatever_changes_a_verdict_or_its_texts_changes_the_digest(other: ActivePolicy) -> None:
    assert other.digest != OWN.digest
    assert replace(other).digest == other.digest
    changed = PolicyBook(policies={"default": {"": other}})
    assert changed.version != PolicyBook.create(POLICY).version == PolicyBook.create(replace(POLICY)).version


def test_what_requests_may_choose_is_part_of_the_version() -> None:
    assert replace(BOOK, selectable=frozenset({"default", "strict"})).version != BOOK.version
