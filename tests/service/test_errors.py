"""Every error of the tree has a place in the table, and none says more than it should."""

import pytest

from safety_core import errors as tree
from safety_core.errors import ImageError, InputError, SafeVLMError
from service.errors import INTERNAL, NotReadyError, build_error_reply, build_status_reply

NEVER_IN_A_REQUEST = (tree.ConfigError, tree.CheckpointError, tree.SampleError, tree.DivergedError, tree.PartsError)


def below(root: type[Exception]) -> list[type[Exception]]:
    return [kind for child in root.__subclasses__() for kind in (child, *below(child))]


@pytest.mark.parametrize("kind", below(SafeVLMError))
def test_every_error_is_mapped(kind: type[Exception]) -> None:
    if issubclass(kind, NEVER_IN_A_REQUEST):
        return
    exc = kind("message", code="some_code") if issubclass(kind, InputError) else kind("SECRET")
    reply = build_error_reply(exc)
    assert reply is not INTERNAL
    if issubclass(kind, (InputError, tree.OverloadedError)):
        assert 400 <= reply.status < 500
    else:
        assert reply.status == (501 if kind is tree.JudgeOnlyError else 503)
    assert "SECRET" not in str(reply.body)
    assert set(reply.body["error"]) == {"message", "type", "param", "code"}


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("image_empty", 400),
        ("image_corrupt", 400),
        ("image_animated", 400),
        ("image_aspect", 400),
        ("image_format", 415),
        ("image_too_large", 413),
        ("body_too_large", 413),
        ("body_timeout", 408),
        ("content_type", 415),
        ("unknown_field", 422),
    ],
)
def test_status_by_code(code: str, status: int) -> None:
    reply = build_error_reply(ImageError("message", code=code, param="image"))
    assert (reply.status, reply.code, reply.param) == (status, code, "image")


def test_overload_says_when_to_come_back() -> None:
    reply = build_error_reply(tree.OverloadedError("12 jobs"))
    assert (reply.status, dict(reply.headers)) == (429, {"Retry-After": "1"})
    for seconds, told in ((0.2, "1"), (7.1, "8"), (1e9, "60")):
        assert build_error_reply(tree.OverloadedError("full", retry_after_s=seconds)).headers["Retry-After"] == told
    assert dict(build_error_reply(ImageError("m", code="image_empty")).headers) == {}
    assert build_error_reply(NotReadyError("the canary was refused")).message == "The server is not ready."


def test_unknown_exceptions_say_nothing() -> None:
    assert build_error_reply(RuntimeError("SECRET")) is INTERNAL
    assert build_error_reply(tree.IntegrityError("SECRET")) is INTERNAL
    assert build_status_reply(418).code == "bad_request"
