from pathlib import Path

import torch
from safetensors.torch import load_file

from safety_core.model.checkpoint.checkpoint import init_checkpoint, verify
from safety_core.model.checkpoint.verification import SAFETY_FILE
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
