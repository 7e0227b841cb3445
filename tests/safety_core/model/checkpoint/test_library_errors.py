import json
from contextlib import AbstractContextManager

import pytest
import torch
from safetensors import SafetensorError

from safety_core.errors import CheckpointError, ConfigError
from safety_core.model.checkpoint.library_errors import convert_library_errors

FOREIGN = [OSError, json.JSONDecodeError("x", "", 0), TypeError, KeyError, ZeroDivisionError, AttributeError]
FOREIGN += [RuntimeError, NotImplementedError, SafetensorError]


@pytest.mark.parametrize("error", FOREIGN, ids=str)
def test_what_a_malformed_file_raises_becomes_one_error(error: Exception | type[Exception]) -> None:
    with pytest.raises(CheckpointError, match=r"^tiny cannot be read \(\w+Error\)$") as caught, border():
        raise error
    assert isinstance(caught.value.__cause__, error if isinstance(error, type) else type(error))


@pytest.mark.parametrize("error", [torch.OutOfMemoryError, ImportError, KeyboardInterrupt, ConfigError])
def test_what_no_file_is_to_blame_for_passes(error: type[BaseException]) -> None:
    with pytest.raises(error), border():
        raise error


def test_an_error_of_ours_keeps_its_own_words() -> None:
    with pytest.raises(CheckpointError, match=r"^other words$"), border():
        raise CheckpointError("other words")


def border() -> AbstractContextManager[None]:
    return convert_library_errors("tiny cannot be read")
