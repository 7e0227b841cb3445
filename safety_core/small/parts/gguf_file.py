"""Reads GGUF, llama.cpp's file format for language models: metadata, and tensors as 32-bit arrays.

Uses the package `gguf` of the extra `small`, which also reads quantised tensors. Knows no model.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from safety_core.errors import PartsError


class GgufFile:
    """An open GGUF file; tensors are read when they are requested.

    Args:
        file: the file.

    Raises:
        PartsError: the package `gguf` is not installed, or the file is malformed.
    """

    def __init__(self, file: Path) -> None:
        try:
            import gguf
        except ImportError as exc:
            raise PartsError("the package gguf is needed: pip install 'safevlm-guard[small]'") from exc
        try:
            reader = gguf.GGUFReader(file)
            self.metadata: Mapping[str, Any] = {name: field.contents() for name, field in reader.fields.items()}
        except (OSError, ValueError, LookupError, TypeError) as exc:
            raise PartsError(f"{file.name} cannot be read as GGUF ({type(exc).__name__})") from exc
        self._tensors = {tensor.name: tensor for tensor in reader.tensors}
        self._dequantize = gguf.quants.dequantize
        self._name = file.name

    @property
    def names(self) -> frozenset[str]:
        """Names of all tensors."""
        return frozenset(self._tensors)

    def get(self, key: str) -> Any:
        """Return a value of the metadata; raises PartsError if there is none."""
        if key not in self.metadata:
            raise PartsError(f"{self._name}: the metadata lack {key}")
        return self.metadata[key]

    def read_tensor(self, name: str) -> NDArray[np.float32]:
        """Read a tensor, rows first; raises PartsError if there is none."""
        if name not in self._tensors:
            raise PartsError(f"{self._name}: the tensor {name} is missing")
        tensor = self._tensors[name]
        # Tensors that are not quantised are views of the file, which cannot be written to.
        return np.array(self._dequantize(tensor.data, tensor.tensor_type), dtype=np.float32)
