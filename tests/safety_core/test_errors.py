import inspect
import re

import pytest

from safety_core import errors
from safety_core.errors import CheckpointError, ImageError, InputError, PromptError, SafeVLMError, SampleError

CLASSES = [entry for _, entry in inspect.getmembers(errors, inspect.isclass)]


@pytest.mark.parametrize("error", CLASSES)
def test_every_error_hangs_on_the_tree(error: type[Exception]) -> None:
    assert issubclass(error, SafeVLMError)
    assert not issubclass(SafeVLMError, ValueError)


def test_the_tree_in_the_docstring_is_the_real_one() -> None:
    assert errors.__doc__ is not None
    above: list[str] = []
    drawn = {}
    for line in errors.__doc__.splitlines():
        if match := re.match(r"    ((?:│   |    |├── |└── )*)(\w+)", line):
            depth = len(match[1]) // 4
            drawn[match[2]] = above[depth - 1] if depth else "Exception"
            above[depth:] = [match[2]]
    assert drawn == {error.__name__: error.__mro__[1].__name__ for error in CLASSES}


@pytest.mark.parametrize("error", [ImageError, PromptError])
def test_input_errors_carry_a_code_and_the_field(error: type[InputError]) -> None:
    raised = error("too big", code="image_too_large", param="image")
    assert str(raised) == raised.message == "too big"
    assert (raised.code, raised.param) == ("image_too_large", "image")
    assert error("x", code="y").param is None


def test_sample_errors_say_where() -> None:
    raised = SampleError("not a number", file="train.jsonl", line=7, field="safe_type")
    assert str(raised) == "train.jsonl:7: safe_type: not a number"
    assert (raised.file, raised.line, raised.field) == ("train.jsonl", 7, "safe_type")


def test_every_kind_of_damage_is_a_checkpoint_error() -> None:
    damage = {"FormatVersionError", "IntegrityError", "ForbiddenFileError", "TensorKeyError", "TensorShapeError"}
    assert {error.__name__ for error in CLASSES if issubclass(error, CheckpointError)} >= damage | {"UntrainedError"}
