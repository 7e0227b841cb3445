"""Walks the JSON structure of a request and finds everything that a model may read.

Every string is a text unless it is known to be something else: an image (in the form of any provider), a keyword of the
protocol (``"role": "user"``), or an identifier. Identifiers of several words are texts, because a model may read them.
Content that cannot be judged (audio, video, documents, references to external files) is an error, so that it never
passes unjudged.
"""

from typing import Any

from safety_core.errors import InputError
from service.api.litellm.json_texts import unfold_json
from service.api.litellm.strings import (
    has_words_in_a_row,
    is_blob,
    is_data_url,
    is_image,
    is_media_type,
    is_sealed,
    is_spoken,
    read_identifiers,
)
from service.api.litellm.vocabulary import (
    BLOB_FIELDS,
    CONTENT_FIELDS,
    IDENTIFIER_FIELDS,
    IMAGE_DATA_FIELDS,
    IMAGE_FIELDS,
    JSON_FIELDS,
    KEYWORD_FIELDS,
    MEDIA_TYPE_FIELDS,
    PROTOCOL_KEYS,
    PROTOCOL_VALUES,
    UNJUDGED_FIELDS,
    UNJUDGED_TYPES,
)

MAX_DEPTH = 128
"""Maximum nesting of lists and objects; deeper nesting is an error."""


class ContentWalker:
    """Walks a JSON structure and sorts its strings into texts, identifiers and images.

    Args:
        param: the request's field, for errors.
    """

    def __init__(self, param: str | None) -> None:
        self._param = param
        self.contents: list[str] = []
        """Texts that a model reads unchanged, as separate texts."""
        self.others: list[str] = []
        """All other strings that a model may read."""
        self.names: list[str] = []
        """Identifiers, unchanged."""
        self.images: list[str] = []
        """Images as base64, data URLs or URLs."""

    def walk(self, value: Any, *, plain: bool = False) -> None:
        """Sort the strings of a JSON value, in order.

        Args:
            value: the JSON value.
            plain: whether its field names are free-form, so that images are recognised only by their values.

        Raises:
            InputError: some content cannot be judged, or the nesting is too deep.
        """
        pending: list[tuple[str, Any, bool, int]] = [("", value, plain, 0)]
        while pending:
            name, node, plain, depth = pending.pop()
            if depth > MAX_DEPTH:
                raise InputError("The request is nested too deeply.", code="invalid_field", param=self._param)
            if isinstance(node, str):
                self._sort_text(name, node, plain=plain)
            elif isinstance(node, list):
                pending += [(name, item, plain, depth + 1) for item in reversed(node)]
            elif isinstance(node, dict):
                fields = node if plain else self._take_media(node)
                self.others += read_identifiers((key for key in fields if key not in PROTOCOL_KEYS), together=True)
                pending += [
                    (key, item, plain or key in JSON_FIELDS, depth + 1) for key, item in reversed(fields.items())
                ]

    def _sort_text(self, name: str, text: str, *, plain: bool) -> None:
        if not text.strip() or (name in KEYWORD_FIELDS and text in PROTOCOL_VALUES):
            return
        if name in KEYWORD_FIELDS and not any(map(str.isspace, text)):
            self.others += [] if is_media_type(text) else read_identifiers([text])
            return
        if name in CONTENT_FIELDS and not plain:
            self.contents.append(unfold_json(text))
        elif (name in IMAGE_FIELDS and not plain) or is_image(text):  # each string in a list of images is an image
            self.images.append(text)
        elif not plain and (is_data_url(text) or (name in BLOB_FIELDS and is_blob(text))):
            raise create_unjudged_error(self._param)
        elif name in IDENTIFIER_FIELDS and not any(map(str.isspace, text)):
            self.names += [text] if name == "name" else []
            has_words = name == "name" or has_words_in_a_row(text) or is_spoken(text)
            self.others += read_identifiers([text]) if has_words else []
        else:
            self.others.append(unfold_json(text))

    def _take_media(self, fields: dict[str, Any]) -> dict[str, Any]:
        """Take the images out of an object and return the rest; raises InputError if the object cannot be judged."""
        kind, audio = fields.get("type", ""), fields.get("audio")
        if (
            not isinstance(kind, str | None)
            or kind in UNJUDGED_TYPES
            or any(fields.get(name) is not None for name in UNJUDGED_FIELDS)
            or (isinstance(audio, dict) and (audio.get("data") is not None or not audio.get("transcript")))
        ):
            raise create_unjudged_error(self._param)
        if kind == "document":
            return self._convert_document(fields)
        if kind == "redacted_thinking" and is_sealed(fields.get("data")):
            return {name: value for name, value in fields.items() if name != "data"}
        before = len(self.images)
        if kind and "image" in kind.lower():
            rest = self._take_image(fields)
            if len(self.images) == before:
                raise create_unjudged_error(self._param)
            return rest
        rest = dict(fields)
        for name in IMAGE_FIELDS & fields.keys():
            if isinstance(fields[name], dict):
                rest[name] = self._take_image(fields[name])
                if len(self.images) == before:
                    raise create_unjudged_error(self._param)
        return rest

    def _take_image(self, part: dict[str, Any]) -> dict[str, Any]:
        """Take the image out of an image part and return the rest."""
        rest: dict[str, Any] = {}
        media = next((part[name] for name in MEDIA_TYPE_FIELDS if isinstance(part.get(name), str)), "image/")
        for name, value in part.items():
            if name in IMAGE_DATA_FIELDS and isinstance(value, str):
                if not media.lower().startswith("image/"):
                    raise create_unjudged_error(self._param)
                self.images.append(value)
            elif name in IMAGE_DATA_FIELDS and isinstance(value, dict):
                rest[name] = self._take_image(value)
            else:
                rest[name] = value
        return rest

    def _convert_document(self, fields: dict[str, Any]) -> dict[str, Any]:
        """Convert a text-only document to an object whose content is text."""
        source = fields.get("source")
        if not isinstance(source, dict) or source.get("type") not in ("text", "content"):
            raise create_unjudged_error(self._param)
        if source["type"] == "content":
            return fields
        text_source = {"text" if name == "data" else name: value for name, value in source.items() if name != "type"}
        return {**fields, "source": text_source}


def create_unjudged_error(param: str | None) -> InputError:
    """Create the error for content that cannot be judged."""
    return InputError("The request has a part that cannot be judged.", code="invalid_field", param=param)
