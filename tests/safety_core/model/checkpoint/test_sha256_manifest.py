import errno
import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from safety_core.errors import CheckpointError, ForbiddenFileError, IntegrityError, MissingBackboneError
from safety_core.model.checkpoint.sha256_manifest import (
    BACKBONE_DIR,
    MANIFEST,
    PARTS_DIR,
    PARTS_FILE,
    check_manifest,
    replace_file,
    write_manifest,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "sound"
    (root / "inner").mkdir(parents=True)
    (root / "a.json").write_text("{}")
    (root / "inner" / "b.safetensors").write_bytes(b"weights")
    write_manifest(root)
    return root


def test_a_sound_folder_passes(folder: Path) -> None:
    assert set(check_manifest(folder)) == {"a.json", "inner/b.safetensors"}


def test_a_flipped_byte_is_named(folder: Path) -> None:
    (folder / "inner" / "b.safetensors").write_bytes(b"Weights")
    with pytest.raises(IntegrityError, match=r"bytes differ.*inner/b\.safetensors"):
        check_manifest(folder)


def test_a_missing_file_is_named(folder: Path) -> None:
    (folder / "a.json").unlink()
    with pytest.raises(IntegrityError, match=r"missing \['a\.json'\]"):
        check_manifest(folder)


def test_a_surplus_file_is_named(folder: Path) -> None:
    (folder / "inner" / "extra.txt").write_text("hello")
    with pytest.raises(IntegrityError, match=r"not in the manifest \['inner/extra\.txt'\]"):
        check_manifest(folder)


@pytest.mark.parametrize("name", ["a.json", "b.safetensors"])
def test_a_file_that_may_not_be_read_is_named(folder: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    usual = Path.open

    def denied(path: Path, *args: Any, **kwargs: Any) -> Any:
        if path.name == name:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return usual(path, *args, **kwargs)

    # Refused here and not by the file's mode: to the superuser, who may be running the tests, every file is readable.
    monkeypatch.setattr(Path, "open", denied)
    with pytest.raises(IntegrityError, match=rf"{name} cannot be read \(Permission denied\)"):
        check_manifest(folder)


@pytest.mark.parametrize("name", ["weights.bin", "weights.PT", "inner/code.py", "x.pkl", "lib.so"])
def test_what_runs_on_loading_is_refused_even_with_a_manifest(folder: Path, name: str) -> None:
    (folder / name).write_bytes(b"anything")
    with pytest.raises(ForbiddenFileError, match=name):
        check_manifest(folder)
    with pytest.raises(ForbiddenFileError, match=name):
        write_manifest(folder)


@pytest.mark.parametrize("start", [b"\x80\x04\x95", b"PK\x03\x04"])
def test_a_pickle_by_another_name_is_refused(folder: Path, start: bytes) -> None:
    (folder / "model.safetensors").write_bytes(start + b"...")
    with pytest.raises(ForbiddenFileError, match=r"model\.safetensors"):
        check_manifest(folder)


def test_safetensors_whose_length_looks_like_a_pickle_pass(folder: Path) -> None:
    header = b"{}".ljust(0x0480)
    (folder / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header)
    assert (folder / "model.safetensors").read_bytes().startswith(b"\x80\x04")
    write_manifest(folder)
    assert "model.safetensors" in check_manifest(folder)


def test_links_are_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text("x")
    (folder / "link.json").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(IntegrityError, match=r"link\.json is a link"):
        check_manifest(folder)


class Killed(BaseException):
    """What no ``except Exception`` sees."""


@pytest.mark.parametrize("moment", range(6))
def test_a_rewrite_that_is_killed_leaves_a_sound_folder(
    folder: Path, monkeypatch: pytest.MonkeyPatch, moment: int
) -> None:
    write, rename = Path.write_bytes, Path.replace
    done: list[Path] = []

    def dying_write(self: Path, content: bytes) -> int:
        if len(done) == moment:
            write(self, content[:2])
            raise Killed
        done.append(self)
        return write(self, content)

    def dying_rename(self: Path, target: Path) -> Path:
        if len(done) == moment:
            raise Killed
        done.append(self)
        return rename(self, target)

    with monkeypatch.context() as killing:
        killing.setattr(Path, "write_bytes", dying_write)
        killing.setattr(Path, "replace", dying_rename)
        with pytest.raises(Killed):
            replace_file(folder, "a.json", b"[1]")
    check_manifest(folder)
    assert (folder / "a.json").read_text() == ("{}" if moment < 4 else "[1]")
    replace_file(folder, "a.json", b"[2]")
    assert (folder / "a.json").read_text() == "[2]"
    assert set(json.loads((folder / MANIFEST).read_text())) == {"sha256"}
    assert sorted(path.name for path in folder.iterdir()) == ["a.json", "inner", MANIFEST]


def test_only_a_listed_file_can_be_rewritten(folder: Path) -> None:
    with pytest.raises(IntegrityError, match=r"b\.json is not in the manifest"):
        replace_file(folder, "b.json", b"{}")


def test_while_a_file_is_rewritten_nothing_else_may_differ(folder: Path) -> None:
    sums = check_manifest(folder)
    (folder / MANIFEST).write_text(json.dumps({"sha256": sums, "next": {"a.json": "0" * 64}}))
    check_manifest(folder)
    (folder / "a.json").write_text("other")
    with pytest.raises(IntegrityError, match=r"bytes differ.*a\.json"):
        check_manifest(folder)


def test_a_half_written_file_is_no_part_of_the_folder_and_may_not_hide_code(folder: Path) -> None:
    (folder / "a.json.partial").write_text("{")
    assert "a.json.partial" not in check_manifest(folder)
    write_manifest(folder)
    assert "a.json.partial" not in check_manifest(folder)
    (folder / "a.json.partial").write_bytes(b"\x80\x04\x95")
    with pytest.raises(ForbiddenFileError, match=r"a\.json\.partial"):
        check_manifest(folder)
    (folder / "a.json.partial").unlink()
    (folder / "inner" / "b.partial").write_text("hello")
    with pytest.raises(IntegrityError, match=r"inner/b\.partial"):
        check_manifest(folder)


@pytest.mark.parametrize(
    "content",
    [None, "{", "[]", '{"sha256": []}', '{"sha256": {"a.json": 1}}', '{"sha256": {}, "next": []}'],
)
def test_an_unreadable_manifest_is_no_manifest(folder: Path, content: str | None) -> None:
    (folder / MANIFEST).unlink()
    if content is not None:
        (folder / MANIFEST).write_text(content)
    with pytest.raises(IntegrityError, match=MANIFEST):
        check_manifest(folder)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ({"sha256": {"a.json": 1}}, r"sha256\.a\.json: a string is needed"),
        ({"sha256": []}, "sha256: an object is needed"),
        ({"next": {}}, "sha256: the field is missing"),
        ({"sha256": {}, "next": None}, "next: an object is needed"),
    ],
)
def test_a_malformed_field_of_the_manifest_is_named(folder: Path, content: object, problem: str) -> None:
    (folder / MANIFEST).write_text(json.dumps(content))
    with pytest.raises(IntegrityError, match=f"^{folder.name}: {MANIFEST}: {problem}$"):
        check_manifest(folder)


def test_of_a_folder_that_holds_no_checkpoint_nothing_else_is_read(tmp_path: Path) -> None:
    (tmp_path / "notes.pkl").write_bytes(b"\x80\x04\x95")
    (tmp_path / "link").symlink_to(tmp_path)
    with pytest.raises(
        IntegrityError, match=f"{tmp_path}: this folder does not contain a checkpoint, {MANIFEST} is missing"
    ):
        check_manifest(tmp_path)


def test_no_folder_is_no_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no such checkpoint"):
        check_manifest(tmp_path / "nothing")


# --- a backbone that is assembled from parts ------------------------------------------------------------------------


@pytest.fixture
def made_of_parts(folder: Path) -> Path:
    """A checkpoint whose backbone was assembled, with the parts beside it."""
    (folder / BACKBONE_DIR).mkdir()
    (folder / BACKBONE_DIR / PARTS_FILE).write_text("{}")
    (folder / BACKBONE_DIR / "model.safetensors").write_bytes(b"weights")
    write_manifest(folder)
    (folder / PARTS_DIR).mkdir()
    (folder / PARTS_DIR / "part.whl").write_bytes(b"PK\x03\x04")
    return folder


def test_parts_beside_the_backbone_are_no_part_of_the_checkpoint(made_of_parts: Path) -> None:
    listed = {"a.json", "inner/b.safetensors", f"{BACKBONE_DIR}/{PARTS_FILE}", f"{BACKBONE_DIR}/model.safetensors"}
    assert set(check_manifest(made_of_parts)) == listed
    write_manifest(made_of_parts)
    assert set(check_manifest(made_of_parts)) == listed


def test_parts_elsewhere_are_forbidden_files(made_of_parts: Path) -> None:
    (made_of_parts / "inner" / PARTS_DIR).mkdir()
    (made_of_parts / PARTS_DIR / "part.whl").rename(made_of_parts / "inner" / PARTS_DIR / "part.whl")
    with pytest.raises(ForbiddenFileError, match=r"part\.whl"):
        check_manifest(made_of_parts)


def test_a_missing_backbone_is_no_damage_and_the_command_that_brings_it_is_named(made_of_parts: Path) -> None:
    shutil.rmtree(made_of_parts / BACKBONE_DIR)
    command = re.escape(f"safevlm parts fetch --out {made_of_parts}")
    with pytest.raises(MissingBackboneError, match=f"the backbone is missing, assemble it with: {command}"):
        check_manifest(made_of_parts)


def test_a_damaged_checkpoint_is_not_excused_by_its_missing_backbone(made_of_parts: Path) -> None:
    shutil.rmtree(made_of_parts / BACKBONE_DIR)
    content = (made_of_parts / "a.json").read_bytes()
    (made_of_parts / "a.json").write_bytes(content + b" ")
    with pytest.raises(IntegrityError, match=r"bytes differ from the manifest in \['a\.json'\]$"):
        check_manifest(made_of_parts)
    (made_of_parts / "a.json").unlink()
    with pytest.raises(IntegrityError, match="files missing"):
        check_manifest(made_of_parts)
    (made_of_parts / "a.json").write_bytes(content)
    (made_of_parts / "b.json").write_text("{}")
    with pytest.raises(IntegrityError, match="files not in the manifest"):
        check_manifest(made_of_parts)


def test_a_backbone_that_lacks_only_some_files_is_damaged(made_of_parts: Path) -> None:
    (made_of_parts / BACKBONE_DIR / PARTS_FILE).unlink()
    with pytest.raises(IntegrityError, match=r"files missing.*; assemble it with: safevlm parts fetch"):
        check_manifest(made_of_parts)


def test_another_backbone_than_the_manifest_lists_must_be_assembled_again(made_of_parts: Path) -> None:
    (made_of_parts / BACKBONE_DIR / "model.safetensors").write_bytes(b"Weights")
    with pytest.raises(IntegrityError, match=r"bytes differ.*; assemble it with: safevlm parts fetch"):
        check_manifest(made_of_parts)
    (made_of_parts / BACKBONE_DIR / "model.safetensors").unlink()
    with pytest.raises(IntegrityError, match=r"files missing.*; assemble it with: safevlm parts fetch"):
        check_manifest(made_of_parts)


def test_other_damage_is_not_blamed_on_the_backbone(made_of_parts: Path) -> None:
    (made_of_parts / "a.json").write_text("[]")
    with pytest.raises(IntegrityError, match=r"bytes differ from the manifest in \['a\.json'\]$"):
        check_manifest(made_of_parts)
