import shutil
from dataclasses import replace
from pathlib import Path

import torch
from safetensors.torch import load_file

from safety_core.model.checkpoint.checkpoint import init_checkpoint, load_checkpoint, verify, write_manifest
from safety_core.model.checkpoint.sha256_manifest import BACKBONE_DIR
from safety_core.model.checkpoint.verification import SAFETY_FILE
from safety_core.model.spec import BackboneRef, read_spec, write_spec
from safety_core.small.build.picture_start import reset_pictures


def test_projector_and_attention_start_anew_and_everything_else_stays(
    tiny_checkpoint: Path, tiny_backbone: Path, tmp_path: Path
) -> None:
    spec = verify(tiny_checkpoint).spec
    untrained = init_checkpoint(str(tiny_backbone), tmp_path / "untrained", config=spec.config, seed=7)
    (tmp_path / "out.partial").mkdir()  # of an interrupted call
    reset_pictures(tiny_checkpoint, untrained, tmp_path / "out")
    assert verify(tmp_path / "out").spec == spec
    before, fresh, after = (load_file(one / SAFETY_FILE) for one in (tiny_checkpoint, untrained, tmp_path / "out"))
    for name, tensor in after.items():
        if name.startswith("head.cross.query."):
            assert not tensor.any()
        else:
            assert torch.equal(tensor, (fresh if name.startswith("projector.") else before)[name])
    assert not torch.equal(before["head.cross.query.weight"], after["head.cross.query.weight"])
    assert any(not torch.equal(before[name], fresh[name]) for name in before if name.startswith("projector."))


def test_a_copy_elsewhere_finds_a_backbone_that_lies_outside(
    tiny_checkpoint: Path, tiny_backbone: Path, tmp_path: Path
) -> None:
    trained, out = tmp_path / "shared" / "words", tmp_path / "a" / "deeper" / "start"
    shutil.copytree(tiny_checkpoint, trained)
    shutil.move(trained / BACKBONE_DIR, tmp_path / "shared" / "model")
    write_spec(trained, replace(read_spec(trained), backbone=BackboneRef(path="../model")))
    write_manifest(trained)
    out.parent.mkdir(parents=True)
    untrained = init_checkpoint(str(tiny_backbone), tmp_path / "untrained", config=read_spec(trained).config, seed=7)
    reset_pictures(trained, untrained, out)
    load_checkpoint(out)
    assert read_spec(out).backbone.path == "../../../shared/model"
