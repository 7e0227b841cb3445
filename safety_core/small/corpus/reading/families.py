"""Families of texts that a set fills from one pattern: the same words but for a group, a name or a number.

Near-duplicate search finds most of them; families also find the short ones. Knows no labels.
"""

import re

from safety_core.small.corpus.hashing import hash_text

_GROUPS = re.compile(
    r"\b(?:gays?|lesbians?|homosexuals?|women|woman|females?|girls?|disabled|muslims?|islam|blacks?|africans?|trans|"
    r"transgenders?|immigrants?|foreigners?|migrants?|people|person|persons?|folks?|a|an|the|s)\b"
)
"""The groups that HateCheck's patterns are filled with, and the words that differ between their wordings."""


def find_hate_family(text: str) -> str:
    """Family of a case of HateCheck: its words without the group."""
    words = " ".join(re.findall(r"[a-z]+", _GROUPS.sub(" ", text.lower())))
    return hash_text(words) if len(words.split()) >= 2 else ""


def find_bias_family(text: str) -> str:
    """Family of a question of BBQ: the first sentence of its story, without capitalised words."""
    first = re.split(r"(?<=[.!?])\s", text, maxsplit=1)[0]
    return hash_text(" ".join(re.findall(r"\b[a-z]+\b", first)))


def find_person_family(text: str) -> str:
    """Family of a text about a synthetic person: its words without names and numbers."""
    words = re.findall(r"(?<!\w)[a-z']+(?!\w)", text)
    return hash_text(" ".join(words)) if len(words) >= 2 else ""
