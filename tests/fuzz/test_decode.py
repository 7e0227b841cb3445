"""Decodes tens of thousands of damaged pictures in a process of its own, and checks its memory."""

import json
import mmap
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from safety_core.errors import ImageError
from safety_core.inputs.images.decoding import DecodedImage, decode_image
from safety_core.inputs.images.limits import ImageLimits
from tests.fuzz import decoding
from tests.fuzz.bounds import bounds
from tests.fuzz.cases import case, format_complaints
from tests.helpers.paths import ROOT


@pytest.mark.slow
@pytest.mark.timeout(0)  # the process has a watchdog, which ends it if a case hangs
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
    assert status == 0, f"the process crashed in case {at}: {errors.read_text()}"
    wrong = broken(last, wanted.decoded, errors.read_text())
    assert not wrong, format_complaints(wrong)


def broken(last: dict[str, Any], wanted: int, errors: str) -> list[str]:
    """Collect all faults of a run."""
    wrong = list(last["complaints"])
    if errors:
        wrong.append(f"a decoder wrote to standard error: {errors}")
    if last["cases"] != wanted and not wrong:
        wrong.append(f"{last['cases']} cases were tried, not {wanted}")
    if last["pictures"] <= last["cases"] / 10:
        wrong.append(f"only {last['pictures']} of {last['cases']} were pictures: they are damaged too much to say much")
    if last["grown"] >= decoding.MAX_GROWTH_BYTES:
        wrong.append(f"the process grew by {last['grown']} bytes")
    return wrong


def test_memory_is_looked_at_beside_complaints() -> None:
    sound: dict[str, Any] = {"cases": 100, "pictures": 50, "complaints": [], "grown": 0}
    assert broken(sound, 100, "") == []
    (complaint, growth) = broken(sound | {"complaints": ["0:1: odd"], "grown": decoding.MAX_GROWTH_BYTES}, 100, "")
    assert (complaint, "grew" in growth) == ("0:1: odd", True)
    for odd in ({"cases": 99}, {"pictures": 10}, {"complaints": ["0:1: odd"]}, {"grown": 2**30}):
        assert len(broken(sound | odd, 100, "")) == 1
    assert len(broken(sound, 100, "libpng warning")) == 1


def test_a_run_goes_on_past_what_escapes_and_names_every_case(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    faults = {1: AssertionError(), 3: MemoryError(), 4: RecursionError()}
    data = {case(0, number).data: fault for number, fault in faults.items()}

    def decode(found: bytes, limits: ImageLimits) -> DecodedImage:
        if found in data:
            raise data[found]
        return decode_image(found, limits=limits)

    monkeypatch.setattr(decoding, "decode_image", decode)
    decoding.run(0, 6, mmap.mmap(-1, 8))
    last = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert last["cases"] == 6
    told = [(complaint.partition(",")[0], complaint.rpartition(": ")[2]) for complaint in last["complaints"]]
    assert told == [(case(0, number).name, f"{type(fault).__name__} escaped") for number, fault in faults.items()]


@pytest.mark.parametrize("fault", [MemoryError(), ImageError("x", code="image_corrupt", param="image")])
def test_what_breaks_the_second_time_is_seen(fault: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[bytes] = []

    def decode(data: bytes, limits: ImageLimits) -> DecodedImage:
        calls.append(data)
        if len(calls) > 1:
            raise fault
        return decode_image(data, limits=limits)

    sound = next(tried for tried in (case(0, number) for number in range(100)) if decoding.outcome(tried).picture)
    monkeypatch.setattr(decoding, "decode_image", decode)
    found = decoding.outcome(sound, twice=True)
    assert (found.picture, len(calls)) == (True, 2)
    assert found.wrong in ("MemoryError escaped", "refused after it was taken")


@pytest.mark.parametrize("fault", [struct.error("x"), RecursionError(), AssertionError(), KeyboardInterrupt()])
def test_what_escapes_is_seen(fault: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    def decode(*args: object, **kwargs: object) -> None:
        raise fault

    monkeypatch.setattr(decoding, "decode_image", decode)
    assert decoding.outcome(case(0, 0)).wrong == f"{type(fault).__name__} escaped"


def test_an_unknown_refusal_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    def decode(*args: object, **kwargs: object) -> None:
        raise ImageError("message", code="image_odd", param="image")

    monkeypatch.setattr(decoding, "decode_image", decode)
    assert decoding.outcome(case(0, 0)).wrong == "refused with the code image_odd"


def test_a_picture_out_of_bounds_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    generous = ImageLimits(max_side=10_000, min_side=1, max_aspect=1000)
    monkeypatch.setattr(decoding, "decode_image", lambda data, limits: decode_image(data, limits=generous))
    found = [decoding.outcome(case(0, number)).wrong for number in range(200)]
    assert {wrong for wrong in found if wrong} >= {"a view out of bounds", "a shape out of bounds"}


def test_memory_that_one_case_takes_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    if not decoding.peak_bytes():
        pytest.skip("this system does not say how much memory a process had")
    held = decoding.peak_bytes() - decoding.resident_bytes() + decoding.MAX_PEAK_BYTES

    def decode(data: bytes, limits: ImageLimits) -> DecodedImage:
        bytearray(b"x") * (held + 2**24)
        return decode_image(data, limits=limits)

    monkeypatch.setattr(decoding, "decode_image", decode)
    assert "too much memory" in {decoding.outcome(case(0, number)).wrong for number in range(3)}


def test_memory_that_one_case_takes_is_seen_although_it_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    if not decoding.peak_bytes():
        pytest.skip("this system does not say how much memory a process had")

    def decode(data: bytes, limits: ImageLimits) -> None:
        bytearray(b"x") * (decoding.peak_bytes() - decoding.resident_bytes() + decoding.MAX_PEAK_BYTES + 2**24)
        raise AssertionError

    monkeypatch.setattr(decoding, "decode_image", decode)
    assert decoding.outcome(case(0, 0)).wrong == "AssertionError escaped; too much memory"
