import sys
from pathlib import Path

import numpy as np
import pytest

from safety_core.errors import PartsError
from safety_core.small.parts.gguf_file import GgufFile
from tests.helpers.models.small_parts import make_language_model, write_gguf


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("gguf", reason="gguf is not installed: pip install 'safevlm-guard[small]'")
    return write_gguf(make_language_model(), tmp_path_factory.mktemp("gguf") / "tiny.gguf", quantize=True)


def test_metadata_and_tensors_are_read_by_name(file: Path) -> None:
    source = GgufFile(file)
    assert source.get("general.architecture") == "llama"
    assert source.get("tokenizer.ggml.merges")[0] == "t h"
    assert "blk.0.attn_q.weight" in source.names
    norm = source.read_tensor("output_norm.weight")
    assert norm.dtype == np.float32
    norm += 1  # a copy, not a view of the file


def test_quantised_tensors_are_close_to_what_was_quantised(file: Path) -> None:
    exact = make_language_model().model.layers[0].mlp.up_proj.weight.detach().numpy()
    read = GgufFile(file).read_tensor("blk.0.ffn_up.weight")
    assert read.shape == exact.shape
    assert np.abs(read - exact).max() < 0.01


def test_what_is_missing_is_named(file: Path) -> None:
    source = GgufFile(file)
    with pytest.raises(PartsError, match=r"the metadata lack mamba\.layers"):
        source.get("mamba.layers")
    with pytest.raises(PartsError, match=r"tensor blk\.9\.ffn is missing"):
        source.read_tensor("blk.9.ffn")


def test_other_files_are_refused(file: Path, tmp_path: Path) -> None:
    (tmp_path / "other.gguf").write_bytes(b"not GGUF, but long enough to look at " * 9)
    with pytest.raises(PartsError, match=r"other\.gguf cannot be read as GGUF"):
        GgufFile(tmp_path / "other.gguf")


def test_without_the_package_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gguf", None)
    with pytest.raises(PartsError, match=r"pip install 'safevlm-guard\[small\]'"):
        GgufFile(tmp_path / "tiny.gguf")
