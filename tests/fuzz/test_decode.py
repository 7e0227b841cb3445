"""Tens of thousands of damaged pictures through the one door, in a process of their own whose memory is watched."""

import json
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from safety_core import images
from safety_core.errors import ImageError
from tests.fuzz import decoding
from tests.fuzz.bounds import bounds
from tests.fuzz.cases import case
from tests.service.clients import ROOT


@pytest.mark.slow
@pytest.mark.timeout(0)  # the process watches itself: a case that hangs ends it
def test_damaged_pictures_are_pictures_or_refused(tmp_path: Path) -> None:
    wanted = bounds()
    mark, errors = tmp_path / "mark", tmp_path / "errors"
    mark.write_bytes(bytes(8))
    command = [sys.executable, "-m", "tests.fuzz.decoding", str(wanted.seed), str(wanted.decoded), str(mark)]
    last: dict[str, Any] = {}
    with errors.open("wb") as output:
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=output, text=True)
        assert process.stdout is not None
        with process.stdout:
            for line in process.stdout:
                last = json.loads(line)
                print(f"decoded {last['cases']} of {wanted.decoded}, complaints: {len(last['complaints'])}", flush=True)
        status = process.wait()
    at = f"{wanted.seed}:{struct.unpack('<Q', mark.read_bytes())[0]}"
    assert status == 0, f"it died in case {at}: {errors.read_text()}"
    assert not last["complaints"], advice(last["complaints"])
    assert errors.read_text() == "", "a decoder wrote to standard error"
    assert last["cases"] == wanted.decoded
    assert last["pictures"] > wanted.decoded / 10
    assert last["grown"] < decoding.MAX_GROWTH_BYTES


def advice(complaints: list[str]) -> str:
    """Complaints, and how to look into them."""
    return "\n".join([*complaints, "to see one again: python -m tests.fuzz SEED:NUMBER"])


@pytest.mark.parametrize("fault", [struct.error("x"), RecursionError(), KeyboardInterrupt()])
def test_what_escapes_is_seen(fault: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    def decode(*args: object, **kwargs: object) -> None:
        raise fault

    monkeypatch.setattr(decoding, "decode", decode)
    assert decoding.outcome(case(0, 0)).wrong == f"{type(fault).__name__} escaped"


def test_an_unknown_refusal_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    def decode(*args: object, **kwargs: object) -> None:
        raise ImageError("message", code="image_odd", param="image")

    monkeypatch.setattr(decoding, "decode", decode)
    assert decoding.outcome(case(0, 0)).wrong == "refused with the code image_odd"


def test_a_picture_out_of_bounds_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    generous = images.ImageLimits(max_side=10_000, min_side=1, max_aspect=1000)
    monkeypatch.setattr(decoding, "decode", lambda data, limits: images.decode(data, limits=generous))
    found = [decoding.outcome(case(0, number)).wrong for number in range(200)]
    assert {wrong for wrong in found if wrong} >= {"a view out of bounds", "a shape out of bounds"}


def test_memory_that_one_case_takes_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    if not decoding.peak_bytes():
        pytest.skip("this system does not say how much memory a process had")
    held = decoding.peak_bytes() - decoding.resident_bytes() + decoding.MAX_PEAK_BYTES

    def decode(data: bytes, limits: images.ImageLimits) -> images.DecodedImage:
        bytearray(b"x") * (held + 2**24)
        return images.decode(data, limits=limits)

    monkeypatch.setattr(decoding, "decode", decode)
    assert "too much memory" in {decoding.outcome(case(0, number)).wrong for number in range(3)}
