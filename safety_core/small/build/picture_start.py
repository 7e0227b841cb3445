"""Prepares a checkpoint that was trained on words for the training on pictures.

Words are trained on without any picture, and the head learns to attend to its own tokens. Beside them, the features of
pictures that it sees next get hardly any attention, so hardly any gradient: in trials, the head learned to look at some
pictures, and gave all others the same score. With a query of zero it attends to everything alike, and learns where to
look.
"""

import os
import shutil
from dataclasses import replace
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from safety_core.model.checkpoint.checkpoint import write_manifest
from safety_core.model.checkpoint.verification import SAFETY_FILE
from safety_core.model.spec import BackboneRef, read_spec, write_spec

_QUERY = "head.cross.query."
_PROJECTOR = "projector."


def reset_pictures(trained: Path, untrained: Path, out: Path) -> None:
    """Copy a checkpoint; in the copy, the projector is untrained, and the head attends to all keys alike.

    Args:
        trained: the checkpoint.
        untrained: an untrained checkpoint of the same shape, for its projector.
        out: the copy, in any folder; a partial one of an interrupted call is replaced.
    """
    partial = out.with_name(f"{out.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    shutil.copytree(trained, partial)
    tensors, fresh = load_file(partial / SAFETY_FILE), load_file(untrained / SAFETY_FILE)
    for name, tensor in tensors.items():
        if name.startswith(_QUERY):
            tensors[name] = torch.zeros_like(tensor)
        elif name.startswith(_PROJECTOR):
            tensors[name] = fresh[name]
    save_file(tensors, partial / SAFETY_FILE)
    spec = read_spec(partial)
    path = spec.backbone.path
    # A path to a folder beside the checkpoint leads nowhere from a copy in another folder.
    if path is not None and not (partial / path).exists():
        moved = os.path.relpath((trained / path).resolve(), out.parent.resolve() / out.name)
        write_spec(partial, replace(spec, backbone=BackboneRef(path=moved)))
    write_manifest(partial)
    partial.rename(out)
