from typing import Any

import torch
from torch import nn
from transformers import LlavaForConditionalGeneration, PreTrainedTokenizerFast

from safety_core.nano.build.recipes import SHIPPED
from safety_core.nano.pretrain.language.model import (
    create_llava_config,
    initialise_attention,
    separate_unseen_words,
)
from safety_core.nano.pretrain.tokenizer import IMAGE_TOKEN
from safety_core.nano.pretrain.vision.tower import create_tower_config
from safety_core.nano.world.scene import GRID
from tests.helpers.models.nano_backbone import EYES, RECIPE


def test_the_tower_feeds_its_last_layer(tokenizer: PreTrainedTokenizerFast) -> None:
    config = create_llava_config(RECIPE, create_tower_config(EYES), tokenizer)
    assert config.vision_feature_layer == -1
    assert config.image_token_id == tokenizer.vocab[IMAGE_TOKEN]
    assert config.image_seq_length == GRID**2


def test_the_shipped_backbone_has_the_size_that_is_asked_for(tokenizer: PreTrainedTokenizerFast) -> None:
    config = create_llava_config(SHIPPED.language, create_tower_config(SHIPPED.vision), tokenizer)
    text: Any = config.text_config
    text.vocab_size = SHIPPED.language.vocab
    with torch.device("meta"):
        model = LlavaForConditionalGeneration(config)
    assert 6e6 <= sum(parameter.numel() for parameter in model.parameters()) <= 12e6


def test_a_fresh_model_looks_for_likeness(model: LlavaForConditionalGeneration) -> None:
    before = [layer.self_attn.k_proj.weight.clone() for layer in model.model.language_model.layers]
    initialise_attention(model, scale=3)
    for layer, old in zip(model.model.language_model.layers, before, strict=True):
        torch.testing.assert_close(layer.self_attn.k_proj.weight, 3 * old)
        assert torch.equal(layer.self_attn.q_proj.weight, layer.self_attn.k_proj.weight)
        # Two parameters, not one: they part as they learn.
        assert layer.self_attn.q_proj.weight.data_ptr() != layer.self_attn.k_proj.weight.data_ptr()


def test_words_that_were_never_shown_are_told_apart() -> None:
    torch.manual_seed(0)
    embeddings = nn.Embedding(60, 16)
    with torch.no_grad():
        # What training leaves of words that it never shows: one direction, and hardly anything else.
        embeddings.weight[40:] = 2.0 * torch.ones(16) + 0.05 * torch.randn(20, 16)
    before = embeddings.weight.detach().clone()
    separate_unseen_words(embeddings, set(range(40)))
    after = embeddings.weight.detach()
    assert torch.equal(after[:40], before[:40])
    # Being unsaid stays, and each word keeps what was its own, as much of it as a seen word has.
    shared = before[40:].mean(0)
    own, kept = before[40:] - shared, after[40:] - shared
    assert torch.cosine_similarity(own, kept, dim=1).min() > 0.999
    spread = (after[:40] - after[:40].mean(0)).norm(dim=1).mean()
    torch.testing.assert_close(kept.norm(dim=1), spread.expand(20))


def test_a_model_that_was_shown_every_word_stays_as_it_is() -> None:
    embeddings = nn.Embedding(8, 4)
    before = embeddings.weight.detach().clone()
    separate_unseen_words(embeddings, range(8))
    assert torch.equal(embeddings.weight, before)
