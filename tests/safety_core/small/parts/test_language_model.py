from pathlib import Path

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from safety_core.errors import PartsError
from safety_core.small.parts.gguf_file import GgufFile
from safety_core.small.parts.language_model import (
    build_text_config,
    convert_language_model,
    count_embedding_rows,
    list_tokens,
)
from tests.helpers.models.small_parts import make_language_model, write_gguf

pytest.importorskip("gguf", reason="gguf is not installed: pip install 'safevlm-guard[small]'")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> GgufFile:
    return GgufFile(write_gguf(make_language_model(), tmp_path_factory.mktemp("gguf") / "tiny.gguf"))


@pytest.mark.parametrize(("tokens", "rows"), [(1, 64), (64, 64), (65, 128), (49153, 49216)])
def test_embeddings_have_a_multiple_of_64_rows(tokens: int, rows: int) -> None:
    assert count_embedding_rows(tokens) == rows


@torch.no_grad()
def test_the_converted_model_computes_the_same(source: GgufFile) -> None:
    rows = count_embedding_rows(len(list_tokens(source)) + 1)
    tensors = convert_language_model(source, rows)
    assert {tensor.dtype for tensor in tensors.values()} == {torch.float16}
    config = build_text_config(source, rows)
    converted = LlamaForCausalLM(LlamaConfig(**{name: value for name, value in config.items() if name != "model_type"}))
    names = {name.removeprefix("language_model."): tensor.float() for name, tensor in tensors.items()}
    found = converted.load_state_dict(names, strict=False)
    assert (found.missing_keys, found.unexpected_keys) == (["lm_head.weight"], [])
    converted.tie_weights()
    original, words = make_language_model(), torch.tensor([[5, 99, 40, 7, 200]])
    known = len(list_tokens(source))
    torch.testing.assert_close(
        converted.eval()(words).logits[..., :known], original(words).logits, rtol=5e-3, atol=5e-3
    )


def test_new_rows_are_the_mean_of_the_others(source: GgufFile) -> None:
    known = len(list_tokens(source))
    embeddings = convert_language_model(source, known + 3)["language_model.model.embed_tokens.weight"]
    assert embeddings.shape == (known + 3, 64)
    expected = embeddings[:known].double().mean(0)
    for row in embeddings[known:]:
        torch.testing.assert_close(row.double(), expected, atol=1e-6, rtol=1e-3)


def test_sizes_come_from_the_file(source: GgufFile) -> None:
    config = build_text_config(source, 320)
    assert (config["hidden_size"], config["num_key_value_heads"], config["head_dim"]) == (64, 2, 16)
    assert (config["rms_norm_eps"], config["rope_parameters"]["rope_theta"]) == (1e-5, 100000.0)
    assert (config["bos_token_id"], config["eos_token_id"], config["pad_token_id"]) == (1, 2, 2)
    assert (config["tie_word_embeddings"], config["vocab_size"]) == (True, 320)


def test_a_model_with_other_tensors_is_refused(tmp_path: Path) -> None:
    model = make_language_model()
    model.model.layers[0].self_attn.register_parameter("bias", torch.nn.Parameter(torch.zeros(3)))
    other = GgufFile(write_gguf(model, tmp_path / "other.gguf"))
    with pytest.raises(PartsError, match="1 unknown tensors"):
        convert_language_model(other, 320)
