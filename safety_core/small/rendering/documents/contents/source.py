"""Values of a person, or what stands for them where there is nobody."""

from collections.abc import Callable
from random import Random

from safety_core.small.rendering.documents.contents.document import Field
from safety_core.small.rendering.documents.people import Person


class Source:
    """Values of a person, or what stands for them where there is nobody.

    Args:
        person: None for a document without data.
        rng: chooses how empty fields look.
    """

    def __init__(self, person: Person | None, rng: Random) -> None:
        self.person = person
        self.rng = rng
        self._blank = rng.choice(("", "", "____________", "specimen", "pattern"))

    def show(self, get: Callable[[Person], str], pattern: str = "XXXX") -> str:
        """The value of a person; otherwise nothing, a line, the word specimen or a pattern."""
        if self.person is not None:
            return get(self.person)
        return {"specimen": "SPECIMEN", "pattern": pattern}.get(self._blank, self._blank)

    def say(self, get: Callable[[Person], str], otherwise: str) -> str:
        """A sentence about a person, or another one where there is nobody."""
        return otherwise if self.person is None else get(self.person)

    @property
    def stamp(self) -> str:
        """Word across a document that is nobody's; empty for half of them and for people's."""
        return "" if self.person else self.rng.choice(("", "", "SPECIMEN", "SAMPLE", "VOID", "TEMPLATE"))

    def describe(self, *, split_name: bool = True) -> list[Field]:
        """Name, birth and sex, in one of a few wordings."""
        rng = self.rng
        if split_name and rng.random() < 0.6:
            first, second = rng.choice(
                (("Surname", "Given names"), ("Last name", "First name"), ("Family name", "Given name"))
            )
            fields = [
                Field(first, self.show(lambda p: p.family.upper(), "DOE")),
                Field(second, self.show(lambda p: p.given, "JANE")),
            ]
        else:
            fields = [
                Field(rng.choice(("Name", "Full name", "Name of holder")), self.show(lambda p: p.name, "NAME HERE"))
            ]
        label = rng.choice(("Date of birth", "Born", "DOB", "Birth date"))
        return [*fields, Field(label, self.show(lambda p: p.format_date(p.birth), "DD/MM/YYYY"))]

    def locate(self) -> list[Field]:
        """Address, on one line or two."""
        if self.rng.random() < 0.5:
            return [Field("Address", self.show(lambda p: f"{p.street}, {p.town}", "STREET, TOWN"))]
        return [
            Field(self.rng.choice(("Street", "Address")), self.show(lambda p: p.street, "STREET")),
            Field(self.rng.choice(("City", "Town")), self.show(lambda p: p.town, "TOWN")),
        ]

    def reach(self) -> list[Field]:
        """Phone or mail, or both."""
        phone = Field(self.rng.choice(("Phone", "Mobile", "Tel.")), self.show(lambda p: p.phone, "000 000 000"))
        mail = Field(self.rng.choice(("E-mail", "Email")), self.show(lambda p: p.email, "name@mail.example"))
        return self.rng.choice(([phone], [mail], [phone, mail]))
