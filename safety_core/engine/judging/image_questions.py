"""Handles images without a question, and questions about an image that is missing.

A language model that is asked about a missing image describes one that does not exist. Two rules intercept such
questions:

- The question names an image as something at hand ("this picture", "the photo", "my screenshot"; not "a picture", nor
  "the picture of Dorian Gray") and asks to look at it: what is in it, what it shows, to describe or read it.
- The question only asks what the reader sees: "What do you see here?". Later in a conversation, that may be about a
  story or a game, so the rule applies to the first turn only.

Questions that refer to an image only by context ("Where is the dog?", "Read the text.") reach the language model,
because the same words may refer to the world or to an earlier turn. English only. Pure text; knows no model.
"""

import re

from safety_core.engine.messages import ChatRequest, GuardVerdict, Reply
from safety_core.inputs.text.normalisation import normalise

DEFAULT_QUESTION = "What do you see here?"
"""The default question for an image without words."""

NO_IMAGE = "There is no picture in this conversation. Please show me one."
"""The reply to a question about a missing image."""

_MAX_WORDS, _MAX_CHARACTERS = 40, 640
"""Maximum characters of a simple question; longer texts contain their own context."""

_PICTURE = r"(?:pictures?|images?|photos?|photographs?|pics?|snapshots?|screenshots?)"
_AT_HAND = (
    r"(?:this|that|these|those|the|my|our)(?: (?:attached|given|following|above|uploaded|provided|shown|new|first"
    r"|second|last|next|other|two|three))? "
) + _PICTURE
_AFTER = (
    r"(?= ?(?:$|[,;:)]| (?:is|are|was|were|does|do|show|shows|say|says|above|below|here|i|we|you|and|please|for|to|now"
    r"|as|part|in (?:\w+ ){0,2}(?:detail|details|words?|sentences?|lines?|english|short)$)\b))"
)
"""Matches what may follow a reference to an image: neither its subject nor another noun."""

_GIVEN = rf"(?:in|on|from|at|about|of|within|by) {_AT_HAND}{_AFTER}"
_WHAT = r"(?:(?:in|at|on|from|to|of) )?(?:what|who|where|which|whose|how many|how much|how)"
_POLITE = (
    r"(?:(?:please|so|ok|okay|now|and|hi|hello|hey),? )*(?:(?:can|could|will|would) you (?:please )?)?(?:please )?"
)
_ASK = (
    r"(?:describe|caption|explain|analy[sz]e|interpret|summari[sz]e|transcribe|read|identify|list|name|count|find|say"
    r"|locate|tell (?:me|us)|show (?:me|us)|give (?:me|us)|help (?:me|us)|do|follow|obey|answer|go through|fill in"
    r"|carry out|spell(?: out)?|look|search|check|guess)"
)
_SHOWS = r"(?:shows?|says?|depicts?|contains?|means?|asks?|tells?|ha(?:s|ve)|looks?)\b"
_NAMED = (
    # What is in this image? How many dogs do you see in the photo? Is there a dog in it? In the image, who smiles?
    rf"(?:{_WHAT}|is|are|do|does|did|can|could)\b[^.?!]{{0,120}}? {_GIVEN}",
    rf"{_GIVEN},? {_WHAT}\b",
    rf"(?:{_ASK} )?where in {_AT_HAND}\b(?! of\b)",
    # What does the image show? How many dogs does it show? Does this image show a dog? Is this image good?
    rf"(?:{_WHAT} (?:[^.?!]{{0,60}} )?)?(?:does|do|did) {_AT_HAND} (?:\w+ )?{_SHOWS}",
    rf"(?:{_WHAT} )?(?:is|are|was) {_AT_HAND}(?: of| about| like| \w+)?$",
    rf"(?:{_WHAT} )?do you (?:\w+ ){{1,3}}{_AT_HAND}{_AFTER}",
    # Describe the image. Tell me what is in this image. Do what the image says.
    rf"{_ASK} (?:me |us )?(?:at |out )?{_AT_HAND}{_AFTER}",
    rf"{_ASK}\b[^.?!]{{0,120}}? {_GIVEN}",
    rf"{_ASK}\b(?:[^.?!]{{0,60}})? (?:what|that|if|whether|as) {_AT_HAND} (?:\w+ )?{_SHOWS}",
)
_SEEN = (
    r"what (?:do|can|could|did) you (?:see|notice|recogni[sz]e|observe)(?: here| there| now)?$",
    r"(?:describe|list|name|say|tell (?:me|us))(?: (?:everything|anything|all|things))?(?: (?:what|that))? you"
    r"(?: can)? see(?: here| there| now)?$",
    r"what (?:is|can be) (?:shown|seen|to be seen|visible|depicted|pictured) here$",
)
_NAMED_QUESTION = re.compile(rf"{_POLITE}(?:{'|'.join(_NAMED)})")
_SEEN_QUESTION = re.compile(rf"{_POLITE}(?:{'|'.join(_SEEN)})")
_SENTENCE = re.compile(r"[.?!]+")


def is_image_missing(request: ChatRequest) -> bool:
    """Whether the newest question is about an image, although the conversation has no image."""
    if request.images or not request.turns:
        return False
    answers = [index for index, message in enumerate(request.messages) if message.role == "assistant"]
    newest = request.messages[answers[-1] + 1 if answers else 0 :]
    texts = [text for message in newest if message.role == "user" for text in message.texts] or [request.turns[-1].text]
    first = len(request.turns) == 1
    return sum(map(len, texts)) <= _MAX_CHARACTERS and any(is_image_question(text, first=first) for text in texts)


def is_image_question(text: str, *, first: bool) -> bool:
    """Whether a text asks about the content of an image.

    Args:
        text: the user's text.
        first: whether the text is the first turn of the conversation.
    """
    if len(text) > _MAX_CHARACTERS:
        return False
    plain = normalise(text).lower().replace("what's", "what is").replace("who's", "who is")
    if len(plain.split()) > _MAX_WORDS:
        return False
    sentences = [" ".join(sentence.split()) for sentence in _SENTENCE.split(plain)]
    if any(_NAMED_QUESTION.match(sentence) for sentence in sentences):
        return True
    return first and any(_SEEN_QUESTION.match(sentence) for sentence in sentences)


def build_no_image_reply(verdict: GuardVerdict) -> Reply:
    """Build the reply to a question about a missing image; the language model does not run."""
    return Reply(verdict=verdict, content=NO_IMAGE, refusal=None, finish_reason="stop", queue_ms=verdict.queue_ms)
