"""Distinguishes whole questions, greetings and unfinished sentences, in English.

A request that is cut into several turns consists of unfinished sentences.
"""

import re

from safety_core.inputs.text.sentences import split_sentences

_SENTENCE_WORDS = 3
"""Minimum words of a text that counts as a whole sentence because of its full stop."""

_SENTENCE_MARKS = (".", "!", "?", "\u2026", "\u3002", "\uff01", "\uff1f")

_UNFINISHED = frozenset(
    {
        *("a", "an", "and", "any", "as", "at", "by", "can", "do", "does", "for", "from", "her", "his", "how", "i"),
        *("if", "in", "into", "is", "my", "of", "on", "or", "our", "should", "some", "than", "that", "the", "their"),
        *("this", "to", "what", "when", "where", "which", "who", "why", "with", "would", "your"),
    }
)
"""Words that rarely end a sentence."""

_REQUEST_OPENING = re.compile(
    r"(?:(?:please|hey|hello|hi|now|so|ok|okay|thanks|and|then|also)[\s,]+)*"
    r"(?:what|why|how|who|where|when|which|explain|describe|teach|tell|help|show|say|write|give|list|i believe|i think"
    r"|(?:is|are|was|were|can|could|would|will|should|do|does|did) (?:it|you|i|we|they|there))\b",
    re.IGNORECASE,
)
"""Beginnings of a new question or request."""

_OPENED_WORDS = 4
"""Minimum words of a whole question with such a beginning, and of a whole sentence before it."""

_FILLER = re.compile(r"\s*\w+(?:\s+\w+)?\s*[.!?\u2026,]+\s*")
"""Matches a turn that only continues a conversation: one or two words with punctuation."""

_COURTESY = re.compile(
    r"\s*(?:(?:hey|hi|hello)[\s,]+)?(?:thanks|thank you|hello|hi|hey|good (?:morning|evening|day|night|bye)|goodbye|bye"
    r"|see you|you are welcome)(?: very much| so much| a lot| again| to you| there| later| soon| tomorrow"
    r"| in the morning| for (?:me|that|this)){0,2}(?:[\s,]+(?:please|thanks))?\s*[.!?\u2026]*\s*",
    re.IGNORECASE,
)
"""Matches a greeting or thanks without other words, which is never part of a sentence in other turns."""

_END_MARKS = ".,;:!?-\u2026\u2013\u2014 "


def may_continue(text: str, following: str) -> bool:
    """Whether a text may continue in the following one.

    It may if it ends within a sentence, if both texts are very short, or if nothing separates the two: neither
    punctuation, nor a question or request of several words that follows as many words.
    """
    words = text.split()
    if is_unfinished(text):
        return True
    if _COURTESY.fullmatch(text) or _COURTESY.fullmatch(following):
        return False
    if max(len(words), len(following.split())) < _SENTENCE_WORDS:
        return True
    if text.rstrip("\"')")[-1:] in _SENTENCE_MARKS:
        return False
    return len(words) < _OPENED_WORDS or not is_one_request(following)


def is_unfinished(text: str) -> bool:
    """Whether a text ends with a word that rarely ends a sentence."""
    return text.split()[-1].strip(_END_MARKS).lower() in _UNFINISHED


def is_filler(text: str) -> bool:
    """Whether a text only keeps a conversation going."""
    return bool(_FILLER.fullmatch(text) or _COURTESY.fullmatch(text))


def is_complete(text: str) -> bool:
    """Whether a text is a whole question or request, a greeting, or empty: not part of a sentence in other turns."""
    return not text.strip() or bool(_COURTESY.fullmatch(text)) or (is_one_request(text) and not is_unfinished(text))


def is_one_request(text: str) -> bool:
    """Whether a text is a single question or request, by its beginning, its length and its number of sentences."""
    sentence = " ".join(text.split())
    opening = _REQUEST_OPENING.match(sentence)
    if opening is None or len(sentence[opening.start() :].split()) < _OPENED_WORDS:
        return False
    return len(split_sentences(sentence)) == 1


def strip_end_marks(text: str) -> str:
    """Remove the final punctuation, which would separate a text from its continuation."""
    return text.rstrip(_END_MARKS) or text
