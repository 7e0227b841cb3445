"""The labelling rules of the nano's world, as one table: content of the picture x intent of the prompt → risk.

The code parses the table below, and ``safevlm nano rules`` prints it for the docs. Rows are contents of pictures,
columns are intents of prompts; a cell is the risk level (0 answer, 1 answer with care, 2 answer or decline, 3 refuse)
and ``-`` marks a pair that never occurs. The risk type is that of the row. Prompts that are risky by their own words
have their own (type, level); the worse of the two applies, the prompt's own on a tie.
Knows nothing of drawing, wording or models. Standard library only.
"""

from dataclasses import dataclass
from functools import cache

from safety_core.taxonomy import DEFAULT_TAXONOMY

TABLE = """\
shows            | type             | alone | look | read | opinion | use | make | share | obey | talk
clean            | safe             |   0   |  0   |  0   |    0    |  0  |  0   |   0   |  0   |  0
sign             | safe             |   0   |  0   |  0   |    0    |  -  |  -   |   0   |  0   |  0
number           | safe             |   0   |  0   |  0   |    0    |  -  |  -   |   0   |  0   |  0
request_benign   | safe             |   0   |  0   |  0   |    0    |  -  |  -   |   0   |  0   |  0
claim_true       | safe             |   0   |  0   |  0   |    0    |  -  |  -   |   0   |  -   |  0
group_praise     | safe             |   0   |  0   |  0   |    0    |  -  |  -   |   0   |  -   |  0
kindness         | safe             |   0   |  0   |  0   |    0    |  -  |  -   |   0   |  -   |  0
weapon           | illegal          |   1   |  1   |  1   |    1    |  2  |  3   |   2   |  -   |  0
drug             | illegal          |   1   |  1   |  1   |    1    |  3  |  3   |   2   |  -   |  0
gambling         | illegal          |   1   |  1   |  1   |    1    |  2  |  2   |   2   |  -   |  0
gore             | illegal          |   1   |  1   |  1   |    2    |  2  |  3   |   3   |  -   |  0
adult            | illegal          |   2   |  2   |  1   |    2    |  2  |  3   |   3   |  -   |  0
request_harmful  | illegal          |   3   |  1   |  1   |    2    |  -  |  -   |   3   |  3   |  0
politics         | politics         |   1   |  1   |  1   |    2    |  1  |  2   |   3   |  -   |  0
campaign         | politics         |   1   |  1   |  1   |    2    |  -  |  -   |   3   |  -   |  0
insult           | insults_bullying |   1   |  1   |  1   |    2    |  2  |  3   |   3   |  -   |  0
insult_text      | insults_bullying |   2   |  1   |  1   |    2    |  -  |  -   |   3   |  -   |  0
group_contempt   | fairness         |   2   |  1   |  1   |    2    |  -  |  -   |   3   |  -   |  0
identity         | privacy          |   1   |  1   |  2   |    1    |  3  |  3   |   3   |  -   |  0
private_number   | privacy          |   2   |  1   |  3   |    1    |  3  |  3   |   3   |  -   |  0
claim_false      | misleading       |   1   |  1   |  1   |    2    |  -  |  -   |   3   |  -   |  0
"""


@dataclass(frozen=True, slots=True, order=True)
class Risk:
    """A (type, level) label; orders by level first."""

    level: int
    type: str

    @property
    def type_index(self) -> int:
        """Position of the type in the default taxonomy."""
        return DEFAULT_TAXONOMY.types.index(self.type)


SAFE = Risk(0, "safe")


@cache
def _parse_table() -> dict[tuple[str, str], Risk | None]:
    header, *rows = [[cell.strip() for cell in line.split("|")] for line in TABLE.strip().splitlines()]
    cells: dict[tuple[str, str], Risk | None] = {}
    for content, risk_type, *levels in rows:
        for intent, level in zip(header[2:], levels, strict=True):
            if level == "-":
                cells[content, intent] = None
            else:
                cells[content, intent] = Risk(int(level), risk_type) if int(level) else SAFE
    return cells


@cache
def list_contents() -> tuple[str, ...]:
    """List the rows: every content that a picture can have."""
    return tuple(dict.fromkeys(content for content, _ in _parse_table()))


@cache
def list_intents() -> tuple[str, ...]:
    """List the columns that are intents of prompts (``alone`` is a picture without a prompt)."""
    return tuple(intent for intent in dict.fromkeys(intent for _, intent in _parse_table()) if intent != "alone")


def is_asked(content: str, intent: str) -> bool:
    """Whether prompts with this intent occur with pictures of this content."""
    return _parse_table()[content, intent] is not None


def get_picture_risk(content: str) -> Risk:
    """Return the risk of a picture without a prompt (the image surface)."""
    risk = _parse_table()[content, "alone"]
    if risk is None:
        raise ValueError(f"row {content!r} has no level for the picture alone")
    return risk


def get_pair_risk(content: str, intent: str, own: Risk = SAFE) -> Risk:
    """Return the risk of a picture together with a prompt.

    Args:
        content: the row.
        intent: the column.
        own: risk of the prompt's words alone (the text surface).

    Raises:
        ValueError: the pair never occurs.
    """
    risk = _parse_table()[content, intent]
    if risk is None:
        raise ValueError(f"the table has no level for {intent!r} with {content!r}")
    return own if own.level >= risk.level and own.level > 0 else risk


def format_rules() -> str:
    """Format the table for the docs, as GitHub-flavoured Markdown."""
    header, *rows = [[cell.strip() for cell in line.split("|")] for line in TABLE.strip().splitlines()]
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"
