"""A secret word and picture, all forms in which they could leak, and requests that contain them."""

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from PIL import ExifTags, Image
from PIL.PngImagePlugin import PngInfo

from service.endpoints import ENDPOINTS
from tests.helpers.images.encoding import encode_image
from tests.helpers.requests.judging_requests import (
    ANSWERING,
    COMPLETIONS,
    GUARDRAIL,
    MODERATIONS,
    OWN,
    PAGE,
    UNGUARDED,
    build_body,
    build_options,
)

WORD = 'kanári"XQ7ZJ'
"""Contains letters that encodings leave unchanged, and letters that each encoding changes."""

CORE = "XQ7ZJ"
"""The part that encodings leave unchanged."""


def encode_word(word: str = WORD) -> dict[str, bytes]:
    """The word as text, and in every encoding that a log line, a label or a file could use."""
    raw = word.encode()
    found = {
        "core": CORE.encode(),
        "UTF-16": word.encode("utf-16-le"),
        "hex": raw.hex().encode(),
        "HEX": raw.hex().upper().encode(),
        "spaced hex": raw.hex(" ").encode(),
        "URL-encoded": quote(word).encode(),
        "JSON": json.dumps(word)[1:-1].encode(),
        "repr": repr(raw)[2:-1].encode(),
        "code points": ",".join(str(byte) for byte in raw).encode(),
    }
    for offset in range(3):  # where it starts within a group of three bytes; only what it alone decides
        whole = base64.b64encode(bytes(offset) + raw)
        found[f"base64 at {offset}"] = whole[(8 * offset + 5) // 6 : 8 * (offset + len(raw)) // 6]
    return found


def find_forms(data: bytes) -> list[str]:
    """Names of the forms in which the word occurs in some bytes."""
    return [name for name, form in encode_word().items() if form in data]


def draw_word(kind: str = "PNG") -> bytes:
    """A picture with the word in its pixels, which the PNG stores uncompressed, and in all metadata fields."""
    said = (WORD.encode() * 3 * 24 * 24)[: 3 * 24 * 24]
    image = Image.frombytes("RGB", (24, 24), said)
    exif = Image.Exif()
    exif[ExifTags.Base.ImageDescription] = WORD
    if kind == "JPEG":
        return encode_image(image, kind, exif=exif, comment=WORD.encode())
    info = PngInfo()
    info.add_itxt(WORD[-5:], WORD, WORD, WORD)
    return encode_image(image, kind, exif=exif, pnginfo=info, compress_level=0)


BROKEN = b"\x89PNG\r\n\x1a\n" + WORD.encode() * 20
HEADERS = {
    name: quote(WORD)
    for name in (
        "X-Request-Id",
        "User-Agent",
        "Referer",
        "Cookie",
        "X-Forwarded-For",
        "Traceparent",
        "Accept",
        "Origin",
    )
} | {"Sec-Fetch-Site": "none"}  # without it the origin alone would be a reason to be turned away
QUERY = f"?{quote(WORD)}={quote(WORD)}"


@dataclass(frozen=True, slots=True)
class CanaryRequest:
    """One request that contains word and picture."""

    name: str
    path: str
    status: int | None
    """The expected status; None for any error."""

    method: str = "POST"
    options: dict[str, Any] = field(default_factory=dict)
    """Arguments of ``httpx.request``."""


_BROKEN_FORMS = {
    "head": b"--edge\r\n" + WORD.encode(),
    "no name": b"--edge\r\nContent-Disposition: " + WORD.encode() + b"\r\n\r\nx\r\n--edge--\r\n",
    "no end": b'--edge\r\nContent-Disposition: form-data; name="prompt"\r\n\r\n' + WORD.encode(),
    "no edge": WORD.encode(),
}
"""Bodies that are no multipart forms with the boundary ``edge``."""


def create_valid_requests(route: str, *, model: str) -> Iterator[CanaryRequest]:
    """Valid requests to a route that reaches the model."""
    if route in PAGE:
        yield from _create_valid_conversations(route)
        return
    asked = build_body(route, WORD, draw_word(), draw_word("JPEG"), model=model)
    bodies = {"whole": asked}
    if route in ANSWERING:
        bodies["streamed"] = asked | {"stream": True}
    if route == COMPLETIONS:
        bodies["named"] = asked | {"user": WORD, "metadata": {WORD: WORD}, "stop": WORD, "n": 2}
    if route == GUARDRAIL:
        bodies["with everything"] = asked | {
            "structured_messages": [{"role": WORD, "content": WORD}],
            "tool_calls": [{"function": {"name": WORD, "arguments": WORD}}],
            "request_data": {WORD: WORD},
            "litellm_call_id": WORD,
            WORD: WORD,
        }
    for name, body in bodies.items():
        yield CanaryRequest(name, route + QUERY, 200, options={"json": body, "headers": HEADERS})
    if route in OWN:
        for stream in ("false", "true"):
            fields = {"prompt": WORD, "stream": stream, "explain": "true"}
            files = [("image", (WORD, draw_word(), "image/png"))]
            yield CanaryRequest(
                f"form {stream}", route, 200, options={"data": fields, "files": files, "headers": HEADERS}
            )


def _create_valid_conversations(route: str) -> Iterator[CanaryRequest]:
    """Conversations as the playground's page sends them, of one question and of several."""
    earlier = [{"role": "user", "content": WORD}, {"role": "assistant", "content": f"{WORD} {WORD}"}]
    for stream in (False, True):
        for name, before in {"question": earlier[:0], "conversation": earlier}.items():
            pictures = (draw_word(), draw_word("JPEG"))
            fields: dict[str, Any] = {"stream": stream, "explain": True, "earlier": before}
            options = build_options(route, WORD, *pictures, headers=HEADERS, **fields)
            yield CanaryRequest(f"{name} {stream}", route + QUERY, 200, options=options)


def _map_status(status: int, route: str) -> int:
    """The status that a route sends: OpenAI's clients know neither 413 nor 415."""
    return 400 if route in (COMPLETIONS, MODERATIONS) else status


def create_invalid_requests(route: str, *, model: str) -> Iterator[CanaryRequest]:
    """Requests with one fault each."""
    if route in PAGE:
        yield from _create_invalid_conversations(route)
        return
    sound = build_body(route, WORD, draw_word(), model=model)
    changed: dict[str, tuple[dict[str, Any], int]] = {
        "broken picture": (build_body(route, WORD, BROKEN, model=model), 400),
        "other format": (build_body(route, WORD, WORD.encode() * 9, model=model), _map_status(415, route)),
        "too many pictures": (
            build_body(route, WORD, *(draw_word() + bytes([n]) for n in range(9)), model=model),
            200 if route == GUARDRAIL else 400,
        ),
        "too long": (build_body(route, WORD * 9000, model=model), 200 if route == GUARDRAIL else 400),
    }
    shown = json.dumps(sound)
    url = json.dumps(f"data:image/png;base64,{base64.b64encode(draw_word()).decode()}")
    for name, source, status in (
        ("no base64", WORD, 400),
        ("data URL", f"data:{WORD},{WORD}", 400),
        ("URL", f"https://{CORE}.example/{quote(WORD)}", 400),
        ("file", f"file:///{WORD}", 400),
    ):
        changed[name] = (json.loads(shown.replace(url, json.dumps(source))), status)
    if route == GUARDRAIL:
        changed["type"] = (sound | {"texts": {WORD: WORD}}, 422)
        changed["role of the text"] = (sound | {"input_type": WORD}, 422)
        changed["unknown part"] = (sound | {"structured_messages": [{"content": [{"type": WORD, WORD: WORD}]}]}, 200)
    else:
        changed["unknown field"] = (sound | {WORD: WORD}, 422)
    if route in OWN:
        changed["type"] = (sound | {"temperature": WORD}, 422)
        changed["list"] = (sound | {"prompt": [WORD]}, 422)
    if route in (COMPLETIONS, MODERATIONS):
        changed["model"] = (sound | {"model": WORD}, 404)
    if route == MODERATIONS:
        changed["type"] = (sound | {"input": {WORD: WORD}}, 422)
        changed["part"] = (sound | {"input": [{"type": WORD, WORD: WORD}]}, 422)
    if route == COMPLETIONS:
        wrong: dict[str, dict[str, Any]] = {
            "role": {"messages": [{"role": WORD, "content": WORD}]},
            "part": {"messages": [{"role": "user", "content": [{"type": WORD, "text": WORD}]}]},
            "key": {"metadata": {WORD: 1}},
            "bias": {"logit_bias": {WORD: WORD}},
            "format": {"response_format": {"type": WORD}},
            "tools": {"tools": [{WORD: WORD}]},
            "stop": {"stop": {WORD: WORD}},
            "streaming": {"stream_options": {WORD: WORD}},
        }
        changed |= {name: (sound | fields, 422) for name, fields in wrong.items()}
        changed["order"] = (sound | {"messages": [{"role": "assistant", "content": WORD}]}, 400)
    for name, (body, status) in changed.items():
        for stream in (False, True) if route in ANSWERING else (False,):
            asked = body | ({"stream": True} if stream else {})
            yield CanaryRequest(f"{name} {stream}", route + QUERY, status, options={"json": asked, "headers": HEADERS})
    yield from _create_unreadable_bodies(route)
    if route in OWN:
        yield from _create_invalid_forms(route)


def _create_invalid_conversations(route: str) -> Iterator[CanaryRequest]:
    """Conversations of the playground's page with one fault each."""
    many = [draw_word() + bytes([number]) for number in range(9)]
    forms: dict[str, tuple[dict[str, Any], int]] = {
        "broken picture": (build_options(route, WORD, BROKEN, headers=HEADERS), 400),
        "other format": (build_options(route, WORD, WORD.encode() * 9, headers=HEADERS), 415),
        "too many pictures": (build_options(route, WORD, *many, headers=HEADERS), 400),
        "too long": (build_options(route, WORD * 9000, headers=HEADERS), 400),
        "unknown field": (build_options(route, WORD, headers=HEADERS, **{WORD: WORD}), 422),
        "value": (build_options(route, WORD, headers=HEADERS, temperature=WORD), 422),
        "policy": (build_options(route, WORD, headers=HEADERS, policy=WORD), 403),
        "URL": (build_options(route, WORD, headers=HEADERS, urls=[f"https://{CORE}.example/{quote(WORD)}"]), 400),
    }
    if route == UNGUARDED:
        del forms["policy"]  # no policy applies
    elsewhere = [{"role": WORD, "content": WORD}], [{"role": "user", "content": WORD, "images": [7]}]
    for number, messages in enumerate((*elsewhere, [{WORD: WORD}], WORD, [])):
        forms[f"messages {number}"] = (_replace_conversation(route, json.dumps({"messages": messages})), 422)
    forms["order"] = (
        _replace_conversation(route, json.dumps({"messages": [{"role": "assistant", "content": WORD}]})),
        400,
    )
    for name, text in {"no JSON": f'{{"{WORD}', "no object": json.dumps([WORD]), "other": json.dumps(WORD)}.items():
        forms[name] = (_replace_conversation(route, text), 422)
    for name, (options, status) in forms.items():
        yield CanaryRequest(name, route + QUERY, status, options=options)
    headers = build_options(route, "")["headers"]
    for kind in ("application/json", f"{CORE}/{CORE}"):
        options = {"content": WORD.encode(), "headers": {**headers, "content-type": kind}}
        yield CanaryRequest(f"kind {kind}", route, 415, options=options)
    form = "multipart/form-data; boundary=edge"
    for name, body in _BROKEN_FORMS.items():
        yield CanaryRequest(name, route, 400, options={"content": body, "headers": {**headers, "content-type": form}})
    yield CanaryRequest("method", route + QUERY, 405, method="PUT", options={"content": WORD.encode()})
    yield CanaryRequest("below", f"{route}/{quote(WORD)}", 404, options={"content": WORD.encode()})


def _replace_conversation(route: str, text: str) -> dict[str, Any]:
    """The arguments of a request whose field ``conversation`` has this text."""
    options = build_options(route, WORD, headers=HEADERS)
    return options | {"files": [("conversation", (None, text)), *options["files"][1:]]}


def _create_unreadable_bodies(route: str) -> Iterator[CanaryRequest]:
    """Bodies that are not JSON, have another media type, or are too large."""
    raw, kind = WORD.encode(), "application/json"
    yield CanaryRequest("no JSON", route, 400, options={"content": b'{"' + raw, "headers": {"content-type": kind}})
    yield CanaryRequest("no object", route, 422, options={"json": [WORD]})
    yield CanaryRequest(
        "kind", route, _map_status(415, route), options={"content": raw, "headers": {"content-type": f"{CORE}/{CORE}"}}
    )
    yield CanaryRequest(
        "large", route, _map_status(413, route), options={"content": raw * 100_000, "headers": {"content-type": kind}}
    )
    yield CanaryRequest("method", route + QUERY, 405, method="PUT", options={"content": raw})
    yield CanaryRequest("below", f"{route}/{quote(WORD)}", 404, options={"content": raw})


def _create_invalid_forms(route: str) -> Iterator[CanaryRequest]:
    """Forms with one fault each."""
    form = "multipart/form-data; boundary=edge"
    for name, files, fields, status in (
        ("file's name", [(WORD, (WORD, draw_word()))], {"prompt": WORD}, 422),
        ("field's name", [("image", (WORD, draw_word()))], {WORD: WORD}, 422),
        ("value", [("image", (WORD, draw_word()))], {"top_p": WORD}, 422),
        ("broken file", [("image", (WORD, BROKEN))], {"prompt": WORD}, 400),
        ("kind of file", [("image", (WORD, WORD.encode() * 9, f"{CORE}/{CORE}"))], {"prompt": WORD}, 415),
    ):
        yield CanaryRequest(name, route, status, options={"files": files, "data": fields, "headers": HEADERS})
    for name, body in _BROKEN_FORMS.items():
        yield CanaryRequest(name, route, 400, options={"content": body, "headers": {"content-type": form}})
    boundary = {"content-type": f"multipart/form-data; boundary={CORE}"}
    yield CanaryRequest("boundary", route, 400, options={"content": WORD.encode(), "headers": boundary})


def create_requests_for_any_path(path: str, method: str) -> Iterator[CanaryRequest]:
    """Requests to any path, with names, a query and a body without meaning there."""
    options: dict[str, Any] = {"headers": HEADERS, "follow_redirects": False}
    if method == "POST":
        options["content"] = WORD.encode()
    yield CanaryRequest("sent", path + QUERY, None, method=method, options=options)
    yield CanaryRequest("slash", f"{path}/{QUERY}", None, method=method, options=options)
    yield CanaryRequest("below", f"{path}/{quote(WORD)}", None, method=method, options=options)


OTHERS = tuple(endpoint.path for endpoint in ENDPOINTS if not endpoint.reaches_model)
"""All paths that do not reach the model."""
