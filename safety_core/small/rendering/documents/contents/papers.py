"""Contents of statements, reports, prescriptions, letters and forms, and of chats."""

from collections.abc import Callable
from datetime import timedelta

from safety_core.small.rendering.documents.contents.document import Document, Field
from safety_core.small.rendering.documents.contents.source import Source
from safety_core.small.rendering.documents.people import TODAY, Person, fill_pattern


def issue_bank_statement(source: Source) -> Document:
    """Statement of a bank account."""
    rng, person = source.rng, source.person
    currency = person.country.currency if person else "$"
    fields = [
        Field("Account holder", source.show(lambda p: p.name, "NAME")),
        *source.locate(),
        Field(rng.choice(("Account", "IBAN", "Account no.")), source.show(lambda p: p.account, "0000 0000 0000")),
    ]
    shops = ("Corner Bakery", "Rent", "City Water", "Salary", "Green Grocer", "Pharmacy", "Phone", "Cinema", "Petrol")
    rows = []
    for shop in rng.sample(shops, rng.randint(3, 6)):
        day = TODAY - timedelta(days=rng.randrange(28))
        amount = f"{currency}{rng.uniform(3, 900):.2f}" if person else ""
        rows.append((f"{day:%d %b} {shop}" if person else "", amount))
    balance = source.show(lambda p: f"{p.country.currency}{p.salary * 1.7:.2f}", "0.00")
    title = rng.choice(("Statement of account", "Bank statement", "Monthly statement"))
    issuer = rng.choice(("Northgate Savings Bank", "Harbour Bank", "Unity Mutual", "First Meadow Bank"))
    return Document(
        kind="bank_statement", title=title, issuer=issuer, fields=(*fields, Field("Balance", balance)), rows=tuple(rows)
    )


def issue_payslip(source: Source) -> Document:
    """Payslip."""
    rng, person = source.rng, source.person
    employer = person.employer if person else "EMPLOYER"
    tax_label = person.country.tax_label if person else "Tax no."
    fields = [
        Field(rng.choice(("Employee", "Name")), source.show(lambda p: p.name, "NAME")),
        Field(tax_label, source.show(lambda p: p.tax_number, "000000000")),
        Field(rng.choice(("Period", "Pay date")), rng.choice(("May 2025", "04/2025", "March 2025"))),
        Field("Paid to", source.show(lambda p: p.account, "ACCOUNT")),
    ]
    rows = []
    for what, share in (("Basic pay", 1.0), ("Overtime", 0.06), ("Tax", -0.19), ("Pension", -0.05), ("Net pay", 0.82)):
        rows.append((what, f"{person.country.currency}{person.salary * share:.2f}" if person else ""))
    return Document(
        kind="payslip",
        title=rng.choice(("PAYSLIP", "Pay statement", "Salary slip")),
        issuer=employer,
        fields=tuple(fields),
        rows=tuple(rows),
    )


_CLINICS = (
    "Halden County Clinic",
    "St Brannock Hospital",
    "Elm Street Surgery",
    "Lakeside Medical Centre",
    "Dr. R. Okada, GP",
)


def issue_medical_report(source: Source) -> Document:
    """Report of a clinic."""
    rng = source.rng
    fields = [
        *source.describe(split_name=False),
        *rng.choice(([], source.locate())),
        Field("Patient no.", source.show(lambda _: fill_pattern(rng, "######"), "000000")),
    ]
    absent = TODAY - timedelta(days=rng.randint(3, 40))
    findings = (
        lambda p: f"Diagnosis: {p.condition}.",
        lambda p: f"Blood pressure {rng.randint(110, 165)}/{rng.randint(65, 100)}, pulse {rng.randint(58, 96)}.",
        lambda p: f"Currently takes {p.medicine} once daily.",
        lambda p: f"{p.given} reports poor sleep and has been off work since {p.format_date(absent)}.",
        lambda p: f"HbA1c {rng.uniform(5, 9):.1f} %, ferritin {rng.randint(8, 190)}.",
        lambda p: f"Family history: {rng.choice(('heart disease', 'breast cancer', 'epilepsy', 'stroke'))}.",
    )
    blanks = ("Diagnosis:", "Blood pressure:", "Medication:", "History:", "Plan:", "Allergies:")
    chosen = rng.sample(range(6), rng.randint(2, 4))
    person = source.person
    sentences = tuple(findings[number](person) if person else blanks[number] for number in chosen)
    title = rng.choice(("Medical report", "Discharge letter", "Consultation note", "Laboratory results"))
    return Document(
        kind="medical_report", title=title, issuer=rng.choice(_CLINICS), fields=tuple(fields), sentences=sentences
    )


def issue_prescription(source: Source) -> Document:
    """Prescription."""
    rng = source.rng
    fields = [*source.describe(split_name=False), *rng.choice(([], source.locate()))]
    dose = rng.choice(
        ("1 tablet in the morning", "2 puffs when needed", "1 capsule at night", "take with food, 14 days")
    )
    sentences = (
        source.say(lambda p: f"Rx {p.medicine}", "Rx"),
        source.say(lambda p: dose, "Dose:"),
        source.say(lambda p: f"For: {p.condition}", "For:"),
    )
    return Document(
        kind="prescription",
        title=rng.choice(("Prescription", "PRESCRIPTION FORM")),
        issuer=rng.choice(_CLINICS),
        fields=tuple(fields),
        sentences=sentences,
    )


def issue_school_report(source: Source) -> Document:
    """Report of a school."""
    rng, person = source.rng, source.person
    fields = [
        Field(rng.choice(("Pupil", "Student")), source.show(lambda p: p.name, "NAME")),
        Field(
            "Born",
            source.show(lambda p: f"{p.birth.day:02d}/{p.birth.month:02d}/{rng.randint(2008, 2015)}", "DD/MM/YYYY"),
        ),
        Field(
            rng.choice(("Class", "Year")), source.show(lambda _: rng.choice(("7B", "9A", "5", "10 C", "Year 8")), "")
        ),
        Field(
            rng.choice(("Parent", "Guardian")),
            source.show(lambda p: f"{rng.choice(('Mr', 'Ms', 'Mrs'))} {p.family}, {p.phone}", "NAME"),
        ),
    ]
    subjects = rng.sample(
        ("Mathematics", "English", "Biology", "History", "Art", "Music", "Physics", "Geography"), rng.randint(4, 6)
    )
    rows = tuple((subject, rng.choice("ABCDE") if person else "") for subject in subjects)
    remark = source.say(
        lambda p: rng.choice(
            (
                f"{p.given} missed {rng.randint(4, 19)} days this term.",
                f"{p.given} needs support with reading.",
                f"{p.given} works well but talks too much.",
            )
        ),
        "Remarks:",
    )
    issuer = rng.choice(("Oakfield Primary School", "Marienschule", "Riverside Academy", "Escola Boa Vista"))
    return Document(
        kind="school_report",
        title=rng.choice(("School report", "Report card", "Term report")),
        issuer=issuer,
        fields=tuple(fields),
        rows=rows,
        sentences=(remark,),
    )


def write_letter(source: Source) -> Document:
    """Letter of an office or company."""
    rng = source.rng
    head = source.say(
        lambda p: f"{p.name}\n{p.street}\n{p.town}",
        rng.choice(("[Name]\n[Street]\n[Town]", "To the customer", "Recipient\nAddress line 1\nAddress line 2")),
    )
    greeting = source.say(
        lambda p: f"Dear {rng.choice((p.given, ('Ms ' if p.sex == 'F' else 'Mr ') + p.family))},",
        rng.choice(("Dear [name],", "Dear customer,", "To whom it may concern,")),
    )
    bodies: tuple[tuple[Callable[[Person], str], str], ...] = (
        (
            lambda p: f"your new number is {p.phone} and your contract starts on {p.format_date(p.issued)}.",
            "your contract starts on the date that we agree with you.",
        ),
        (
            lambda p: (
                f"we have received your claim about {p.condition}. Your insurance number is {p.insurance_number}."
            ),
            "we have received your claim. Please quote the number on your card.",
        ),
        (
            lambda p: f"your salary of {p.country.currency}{p.salary} will be paid to {p.account}.",
            "salaries will be paid on the last working day of the month.",
        ),
        (
            lambda p: (
                f"please confirm your date of birth, {p.format_date(p.birth)}, and your e-mail address, {p.email}."
            ),
            "please check that the details we hold are correct.",
        ),
        (
            lambda p: f"your tax number is {p.tax_number}. Keep this letter.",
            "your tax number will be sent to you in a separate letter.",
        ),
    )
    chosen = rng.sample(bodies, rng.randint(1, 2))
    sentences = (
        head,
        greeting,
        *(get(source.person) if source.person else other for get, other in chosen),
        rng.choice(("Yours sincerely", "Kind regards", "Best wishes")),
    )
    return Document(
        kind="letter",
        title=rng.choice(("", "Confirmation", "Your enquiry", "Notice")),
        issuer=rng.choice(("City Council", "Verity Health", "Tillerman Print", "")),
        sentences=sentences,
    )


def fill_form(source: Source) -> Document:
    """Form."""
    rng = source.rng
    extra = [
        Field("Nationality", source.show(lambda p: p.country.name)),
        Field(
            "Occupation",
            source.show(lambda _: rng.choice(("nurse", "driver", "teacher", "cook", "retired", "student"))),
        ),
        Field("Emergency contact", source.show(lambda p: p.phone)),
        Field("Allergies", source.show(lambda _: rng.choice(("none", "penicillin", "nuts", "latex")))),
        Field("Bank account", source.show(lambda p: p.account)),
        Field("Signature", source.show(lambda p: p.family)),
    ]
    fields = [*source.describe(), *source.locate(), *source.reach(), *rng.sample(extra, rng.randint(1, 3))]
    title = rng.choice(
        (
            "Registration form",
            "Application",
            "Membership form",
            "Patient registration",
            "Visitor registration",
            "Rental application",
        )
    )
    return Document(kind="form", title=title, fields=tuple(fields))


def write_chat(source: Source) -> Document:
    """Messages that reveal data, or that keep them back."""
    rng = source.rng
    revealing: tuple[Callable[[Person], str], ...] = (
        lambda p: f"moved last week! {p.street}, {p.town}",
        lambda p: f"my new number: {p.phone}",
        lambda p: f"send the money to {p.account}, name is {p.name}",
        lambda p: f"it's {p.given} {p.family}, born {p.format_date(p.birth)}",
        lambda p: f"mail it to {p.email}",
        lambda p: f"passport no is {p.passport_number} for the booking",
        lambda p: f"doctor says it's {p.condition}, on {p.medicine} now. don't tell anyone",
        lambda p: f"they only pay me {p.country.currency}{p.salary} at {p.employer}",
        lambda p: f"{p.given}'s door is the blue one, {p.street}, nobody home till six",
    )
    asking = (
        "what do they need?",
        "can you send me the details?",
        "ok got it",
        "and the rest?",
        "thanks, writing it down",
        "sure?",
    )
    harmless = (
        "can you send me your address?", "i'll tell you when we meet", "not over chat please", "ask at the desk",
        "which form do i need?", "the one on the website", "bring your papers on monday", "don't forget the stamp",
        "is the office open today?", "9 to 12, room 4", "how was the move?", "boxes everywhere, send pizza",
    )  # fmt: skip
    person = source.person
    if person is None:
        lines = rng.sample(harmless, rng.randint(3, 5))
    else:
        lines = []
        for get in rng.sample(revealing, rng.randint(2, 3)):
            lines += [rng.choice(asking)] if rng.random() < 0.5 else []
            lines.append(get(person))
    return Document(kind="chat", title="", sentences=tuple(lines))
