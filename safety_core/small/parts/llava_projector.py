"""The projector of the LLaVA that is assembled: read from the checkpoint, or initialised for its training.

Unlike the other parts, this one is the project's own: no published projector fits between them.
"""

from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor

from safety_core.model.checkpoint.tensor_files import check_tensors, convert_to_storage, read_shapes

PROJECTOR_FILE = "projector.safetensors"
"""File of the trained projector in the checkpoint, with the names of :func:`initialize_projector`."""

SEED = 20

_PREFIX = "multi_modal_projector."


def read_projector(file: Path, *, vision_width: int, llm_width: int) -> dict[str, Tensor]:
    """Read a trained projector, in 16 bit.

    Raises:
        CheckpointError: the file is malformed, or its tensors have other names or shapes.
    """
    expected = {name: tuple(tensor.shape) for name, tensor in initialize_projector(vision_width, llm_width).items()}
    check_tensors(read_shapes(file), expected, where=file.name)
    return convert_to_storage(load_file(file), torch.float16)


def initialize_projector(vision_width: int, llm_width: int) -> dict[str, Tensor]:
    """Initialise an untrained projector that keeps the scale of its input; the same on every machine.

    Args:
        vision_width: width of the tower's features.
        llm_width: width of the language model's embeddings.
    """
    # Uniform numbers: other distributions need functions whose last bit differs between machines.
    generator = np.random.Generator(np.random.PCG64(SEED))
    tensors = {}
    for layer, width_in in (("linear_1", vision_width), ("linear_2", llm_width)):
        bound = (3.0 / width_in) ** 0.5
        weight = generator.random((llm_width, width_in)) * 2 * bound - bound
        tensors[f"{_PREFIX}{layer}.weight"] = torch.from_numpy(weight)
        tensors[f"{_PREFIX}{layer}.bias"] = torch.zeros(llm_width)
    return convert_to_storage(tensors, torch.float16)
