"""Contents of identity papers, cards and boarding passes."""

from safety_core.small.rendering.documents.contents.document import Document, Field
from safety_core.small.rendering.documents.contents.source import Source
from safety_core.small.rendering.documents.people import fill_pattern


def issue_identity_card(source: Source) -> Document:
    """Identity card."""
    person, rng = source.person, source.rng
    title = person.country.identity_title if person else rng.choice(("IDENTITY CARD", "NATIONAL IDENTITY CARD"))
    fields = source.describe()
    extra = [
        Field("Sex", source.show(lambda p: p.sex, "X")),
        Field("Height", source.show(lambda p: f"{p.height} cm", "000 cm")),
        Field("Expires", source.show(lambda p: p.format_date(p.expires), "DD/MM/YYYY")),
        *source.locate(),
    ]
    number = Field(rng.choice(("Card no.", "ID number", "No.")), source.show(lambda p: p.identity_number, "000000000"))
    fields += [number, *rng.sample(extra, rng.randint(1, 3))]
    return Document(kind="identity_card", title=title, fields=tuple(fields))


def issue_driving_licence(source: Source) -> Document:
    """Driving licence."""
    rng = source.rng
    fields = [
        *source.describe(),
        Field(rng.choice(("Licence no.", "DL number", "5")), source.show(lambda p: p.licence_number, "0000-000-00")),
        Field("Valid until", source.show(lambda p: p.format_date(p.expires), "DD/MM/YYYY")),
        *source.locate(),
        Field(rng.choice(("Class", "Categories")), rng.choice(("B", "B, AM", "C", "B, BE"))),
    ]
    title = rng.choice(("DRIVING LICENCE", "DRIVER LICENSE", "DRIVING LICENCE / PERMIS DE CONDUIRE"))
    return Document(kind="driving_licence", title=title, fields=tuple(fields))


def issue_passport(source: Source) -> Document:
    """Data page of a passport, with its machine-readable lines."""
    person, rng = source.person, source.rng
    country = person.country.name if person else "COUNTRY"
    fields = [
        *source.describe(),
        Field("Passport no.", source.show(lambda p: p.passport_number, "X0X000000")),
        Field("Nationality", source.show(lambda p: p.country.name, "NATIONALITY")),
        Field("Place of birth", source.show(lambda p: p.town.split(" ", 1)[-1], "PLACE")),
        Field("Date of issue", source.show(lambda p: p.format_date(p.issued), "DD/MM/YYYY")),
        Field("Date of expiry", source.show(lambda p: p.format_date(p.expires), "DD/MM/YYYY")),
    ]
    lines = (
        source.say(lambda p: f"P<{pad_line(p.family + '<<' + p.given, 28)}", "P<XXXDOE<<JANE<<<<<<<<<<<<<<<<"),
        source.say(
            lambda p: f"{pad_line(p.passport_number, 12)}{p.birth:%y%m%d}{p.sex}{p.expires:%y%m%d}<<<",
            "X0X000000<0XXX0000000X0000000<",
        ),
    )
    return Document(
        kind="passport",
        title=rng.choice(("PASSPORT", "PASSPORT / PASSEPORT")),
        issuer=country,
        fields=tuple(fields),
        sentences=lines,
    )


def pad_line(text: str, length: int) -> str:
    """Machine-readable form of a name: capitals, and ``<`` for everything else."""
    plain = "".join(letter if letter.isascii() and letter.isalnum() else "<" for letter in text.upper())
    return plain[:length].ljust(length, "<")


def issue_bank_card(source: Source) -> Document:
    """Front of a bank card."""
    rng = source.rng
    fields = [
        Field("", source.show(lambda p: p.card_number, "0000 0000 0000 0000") or "0000 0000 0000 0000"),
        Field(rng.choice(("VALID THRU", "GOOD THRU", "EXP")), source.show(lambda p: p.card_end, "MM/YY")),
        Field("", source.show(lambda p: p.name.upper(), "CARDHOLDER NAME") or "YOUR NAME"),
    ]
    if rng.random() < 0.3:
        fields.append(Field("CVC", source.show(lambda p: p.card_code, "000")))
    bank = rng.choice(("NORTHGATE SAVINGS", "Harbour Bank", "Bluewater Credit", "Unity Mutual", "FIRST MEADOW"))
    return Document(kind="bank_card", title=bank, fields=tuple(fields))


def issue_health_card(source: Source) -> Document:
    """Card of a health insurance."""
    rng = source.rng
    fields = [
        *source.describe(),
        Field(
            rng.choice(("Member no.", "Insurance no.", "Policy ID")),
            source.show(lambda p: p.insurance_number, "000 000 000"),
        ),
        Field(rng.choice(("Plan", "Scheme")), rng.choice(("Basic", "Family", "Standard", "Plus"))),
    ]
    if rng.random() < 0.5:
        fields.append(Field("Valid to", source.show(lambda p: p.format_date(p.expires), "MM/YYYY")))
    title = rng.choice(("HEALTH INSURANCE CARD", "Health card", "MEDICAL INSURANCE", "Patient card"))
    return Document(
        kind="health_card",
        title=title,
        issuer=rng.choice(("Verity Health", "MediCommon", "Stadtkasse", "Carewell")),
        fields=tuple(fields),
    )


def issue_boarding_pass(source: Source) -> Document:
    """Boarding pass."""
    rng = source.rng
    towns = rng.sample(("OSLO", "LISBON", "LAGOS", "CHICAGO", "PUNE", "PERTH", "RECIFE", "KRAKOW", "MILAN"), 2)
    fields = [
        Field(
            rng.choice(("Passenger", "Name")),
            source.show(lambda p: f"{p.family.upper()}/{p.given.upper()}", "PASSENGER NAME"),
        ),
        Field("From", towns[0] if source.person else source.show(lambda _: "", "CITY")),
        Field("To", towns[1] if source.person else source.show(lambda _: "", "CITY")),
        Field("Flight", source.show(lambda _: fill_pattern(rng, "@@ ###"), "XX 000")),
        Field("Seat", source.show(lambda _: f"{rng.randint(1, 38)}{rng.choice('ABCDEF')}", "00X")),
        Field(rng.choice(("Booking ref.", "PNR")), source.show(lambda _: fill_pattern(rng, "@@#@@#"), "XXXXXX")),
        Field("Passport", source.show(lambda p: p.passport_number, "X0X000000")),
    ]
    if rng.random() < 0.5:
        fields.pop(rng.choice((3, 4)))
    return Document(kind="boarding_pass", title=rng.choice(("BOARDING PASS", "Boarding card")), fields=tuple(fields))
