"""Every error of the tree has a place in the table, and none says more than it should."""

import pytest
from pydantic import ValidationError

from safety_core import errors as tree
from safety_core.errors import ImageError, InputError, SafeVLMError
from service.errors import INTERNAL, NotReadyError, invalid_fields, reply_to, reply_to_status
from service.openai_schemas import CompletionRequest
from service.schemas import JsonRequest

NEVER_IN_A_REQUEST = (tree.ConfigError, tree.CheckpointError, tree.SampleError, tree.DivergedError)


def below(root: type[Exception]) -> list[type[Exception]]:
    return [kind for child in root.__subclasses__() for kind in (child, *below(child))]


@pytest.mark.parametrize("kind", below(SafeVLMError))
def test_every_error_is_mapped(kind: type[Exception]) -> None:
    if issubclass(kind, NEVER_IN_A_REQUEST):
        return
    exc = kind("message", code="some_code") if issubclass(kind, InputError) else kind("SECRET")
    reply = reply_to(exc)
    assert reply is not INTERNAL
    assert 400 <= reply.status < 500 if issubclass(kind, (InputError, tree.OverloadedError)) else reply.status == 503
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
    reply = reply_to(ImageError("message", code=code, param="image"))
    assert (reply.status, reply.code, reply.param) == (status, code, "image")


def test_overload_says_when_to_come_back() -> None:
    reply = reply_to(tree.OverloadedError("12 jobs"))
    assert (reply.status, dict(reply.headers)) == (429, {"Retry-After": "1"})
    for seconds, told in ((0.2, "1"), (7.1, "8"), (1e9, "60")):
        assert reply_to(tree.OverloadedError("full", retry_after_s=seconds)).headers["Retry-After"] == told
    assert dict(reply_to(ImageError("m", code="image_empty")).headers) == {}
    assert reply_to(NotReadyError("the canary was refused")).message == "The server is not ready."


def test_unknown_exceptions_say_nothing() -> None:
    assert reply_to(RuntimeError("SECRET")) is INTERNAL
    assert reply_to(tree.IntegrityError("SECRET")) is INTERNAL
    assert reply_to_status(418).code == "bad_request"


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        ('{"prompt": "x", "SECRET": 1}', "unknown_field", None),
        ('{"prompt": ["SECRET"]}', "invalid_field", "prompt"),
        ('{"images": ["a", 7]}', "invalid_field", "images.1"),
        ('{"images": "SECRET"}', "invalid_field", "images"),
        ('{"temperature": "SECRET"}', "invalid_field", "temperature"),
        ('{"temperature": NaN}', "invalid_field", "temperature"),
        ('{"seed": 99999999999999999999999}', "invalid_field", "seed"),
        ('{"stream": "SECRET"}', "invalid_field", "stream"),
        ('{"prompt": "SECRET', "body_malformed", None),
        ("[1]", "invalid_field", None),
    ],
)
def test_validation_never_quotes_the_client(body: str, code: str, param: str | None) -> None:
    with pytest.raises(ValidationError) as caught:
        JsonRequest.model_validate_json(body)
    error = invalid_fields(caught.value, JsonRequest)
    assert (error.code, error.param) == (code, param)
    assert "SECRET" not in error.message


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"metadata": {"SECRET": 1}}, "metadata"),
        ({"logit_bias": {"SECRET": "SECRET"}}, "logit_bias"),
        ({"stop": {"SECRET": 1}}, "stop"),
        ({"messages": [{"role": "user", "content": [{"type": "SECRET", "SECRET": 1}]}]}, "messages.0.content"),
        ({"messages": [{"role": "SECRET", "content": "a"}]}, "messages.0.role"),
        ({"stream_options": {"include_usage": "SECRET"}}, "stream_options.include_usage"),
    ],
)
def test_a_complaint_names_our_fields_and_none_of_the_clients(changes: dict[str, object], param: str) -> None:
    body = {"model": "m", "messages": [{"role": "user", "content": "a"}], **changes}
    with pytest.raises(ValidationError) as caught:
        CompletionRequest.model_validate(body)
    error = invalid_fields(caught.value, CompletionRequest)
    assert (error.code, error.param) == ("invalid_field", param)
    assert "SECRET" not in error.message
