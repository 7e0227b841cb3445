"""What libraries have to say to programmers does not reach whoever runs a program, unless they ask for it."""

import subprocess
import sys

import pytest

PROGRAM = """
import logging, warnings
from safety_core.library_warnings import suppress_library_warnings
suppress_library_warnings()
logging.basicConfig()
exec("import warnings; warnings.warn('from a library', FutureWarning)", {"__name__": "library"})
exec("import warnings; warnings.warn('from us')", {"__name__": "service.us"})
logging.getLogger("bitsandbytes.cextension").warning("advice of a library")
logging.getLogger("transformers").error("an error of a library")
"""


@pytest.mark.parametrize("asked", [False, True])
def test_warnings_of_libraries_are_shown_only_to_who_asks(asked: bool) -> None:
    options = ["-W", "default"] if asked else []
    said = subprocess.run(
        [sys.executable, *options, "-c", PROGRAM], capture_output=True, text=True, check=True, timeout=120
    ).stderr
    assert ("from a library" in said) == asked
    assert "from us" in said
    assert "advice of a library" not in said
    assert "an error of a library" in said
