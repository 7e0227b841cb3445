"""Makes up people: name, address, birth, numbers. Nothing about them is real, and no number is valid.

Card numbers fail the check digit of ISO/IEC 7812, and accounts carry check digits that cannot occur.
"""

import re
import string
import unicodedata
from dataclasses import dataclass
from datetime import date, timedelta
from random import Random
from typing import TypeVar

from safety_core.errors import InputError
from safety_core.small.rendering.documents.countries import COUNTRIES, Country
from safety_core.small.rendering.kinds import Split

Item = TypeVar("Item")

TODAY = date(2025, 6, 1)
"""Day on which the made-up documents are in force."""

RESERVED = 4
"""Every fourth name and street is reserved for people of the test split."""

_MAIL = ("mailbox.example", "post.example", "inbox.example", "letters.example")
_EMPLOYERS = (
    "Harrow & Pike Logistics", "Bluefin Foods", "Castell Engineering", "Ostrava Tools", "Meridian Care Homes",
    "Tillerman Print", "Quayside Hotels", "Norland Timber", "Verdant Farms", "Sable Insurance",
)  # fmt: skip
_CONDITIONS = (
    "asthma", "type 2 diabetes", "migraine", "hypertension", "eczema", "iron deficiency", "chronic back pain",
    "hypothyroidism", "anxiety disorder", "sleep apnoea", "hay fever", "arthritis of the knee",
)  # fmt: skip
_MEDICINES = (
    "Salbutamol 100 mcg", "Metformin 500 mg", "Levothyroxine 50 mcg", "Ramipril 5 mg", "Cetirizine 10 mg",
    "Ferrous fumarate 210 mg", "Naproxen 250 mg", "Sertraline 50 mg", "Amoxicillin 500 mg", "Omeprazole 20 mg",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A made-up person."""

    country: Country
    given: str
    family: str
    sex: str
    birth: date
    street: str
    town: str
    """Postcode and town."""

    phone: str
    email: str
    identity_number: str
    passport_number: str
    licence_number: str
    tax_number: str
    insurance_number: str
    card_number: str
    """16 digits in groups of four; never valid."""

    card_end: str
    card_code: str
    account: str
    employer: str
    salary: int
    """Of one month, in the country's currency."""

    height: int
    """In centimetres."""

    condition: str
    medicine: str
    issued: date
    expires: date

    @property
    def name(self) -> str:
        """Given name and family name."""
        return f"{self.given} {self.family}"

    def format_date(self, day: date) -> str:
        """Write a date as in the person's country."""
        return day.strftime(self.country.dates)


def create_person(seed: int, country: str, split: Split = "train") -> Person:
    """Make up a person; the same for the same arguments.

    Args:
        seed: which person.
        country: ISO code, a key of :data:`COUNTRIES`.
        split: people of ``test`` have names and streets that nobody else has.

    Raises:
        InputError: the country is unknown.
    """
    if country not in COUNTRIES:
        raise InputError(
            f"country: {country!r} is not one of {', '.join(COUNTRIES)}", code="document_country", param="country"
        )
    test = split == "test"
    rng = Random(f"person/{seed}/{country}/{test}")
    land = COUNTRIES[country]
    woman = rng.random() < 0.5
    given = rng.choice(_share(land.women if woman else land.men, test=test))
    family = rng.choice(_share(land.families, test=test))
    number, street = rng.randint(1, 180), rng.choice(_share(land.streets, test=test))
    birth = date(1940, 1, 1) + timedelta(days=rng.randrange(365 * 66))
    issued = TODAY - timedelta(days=rng.randrange(30, 2000))
    return Person(
        country=land,
        given=given,
        family=family,
        sex="F" if woman else "M",
        birth=birth,
        street=f"{number} {street}" if land.number_first else f"{street} {number}",
        town=f"{fill_pattern(rng, land.postcode)} {rng.choice(land.towns)}",
        phone=fill_pattern(rng, land.phone),
        email=f"{_simplify(given)}.{_simplify(family)}{rng.choice(('', str(birth.year % 100)))}@{rng.choice(_MAIL)}",
        identity_number=fill_pattern(rng, land.identity_number),
        passport_number=fill_pattern(rng, "X0@######"),
        licence_number=fill_pattern(rng, "@@@@#-000###-@#"),
        tax_number=fill_pattern(rng, land.tax_number),
        insurance_number=fill_pattern(rng, "0## ### ### @"),
        card_number=_make_card_number(rng),
        card_end=f"{rng.randint(1, 12):02d}/{rng.randint(26, 30)}",
        card_code=f"{rng.randint(0, 999):03d}",
        account=fill_pattern(rng, land.account),
        employer=rng.choice(_EMPLOYERS),
        salary=rng.randint(1400, 6800),
        height=rng.randint(150, 198),
        condition=rng.choice(_CONDITIONS),
        medicine=rng.choice(_MEDICINES),
        issued=issued,
        expires=issued + timedelta(days=3650),
    )


def _share(items: tuple[Item, ...], *, test: bool) -> list[Item]:
    """Items for the test split, or all others."""
    return [item for number, item in enumerate(items) if (number % RESERVED == RESERVED - 1) == test]


def fill_pattern(rng: Random, pattern: str) -> str:
    """Replace each ``#`` by a digit and each ``@`` by a capital letter."""
    digits = re.sub("#", lambda _: rng.choice(string.digits), pattern)
    return re.sub("@", lambda _: rng.choice("ABCDEFGHJKLMNPRSTUVWXYZ"), digits)


def _simplify(name: str) -> str:
    """Plain small letters of a name."""
    plain = unicodedata.normalize("NFKD", name.replace("ł", "l").replace("ß", "ss")).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z]", "", plain.lower())


def compute_check_sum(digits: str) -> int:
    """Check sum of ISO/IEC 7812: 0 for valid numbers."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + place % 2)
        total += value - 9 if value > 9 else value
    return total % 10


def _make_card_number(rng: Random) -> str:
    """Make up a card number whose check digit is wrong."""
    body = rng.choice("45") + "".join(rng.choice(string.digits) for _ in range(14))
    wrong = [digit for digit in string.digits if compute_check_sum(body + digit) != 0]
    number = body + rng.choice(wrong)
    return " ".join(number[start : start + 4] for start in range(0, 16, 4))
