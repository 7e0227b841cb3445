"""The nano's LLaVA: its configuration, initialisation, and the embeddings of words that training never showed.

Shapes: W vocabulary · D width of the language model · U unseen words.
"""

from collections.abc import Collection

import torch
from torch import nn
from torch.nn import functional as F
from transformers import (
    CLIPVisionConfig,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    PreTrainedTokenizerFast,
)

from safety_core.nano.pretrain.recipes import LanguageRecipe
from safety_core.nano.world.scene import GRID


def create_llava_config(
    recipe: LanguageRecipe, vision: CLIPVisionConfig, tokenizer: PreTrainedTokenizerFast
) -> LlavaConfig:
    """Create the configuration of LLaVA-1.5's architecture at the nano's size.

    The language model reads the tower's last layer: LLaVA-1.5 reads the one before it because CLIP's last layer serves
    its contrastive loss, and the nano's tower has no such loss. Input and output embeddings are tied: a model that
    learns to name the content of a patch then also learns to find it by name.
    """
    text = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=recipe.hidden,
        intermediate_size=recipe.intermediate,
        num_hidden_layers=recipe.layers,
        num_attention_heads=recipe.heads,
        num_key_value_heads=recipe.heads,
        max_position_embeddings=1024,
        rope_parameters={"rope_type": "default", "rope_theta": recipe.rope_theta},
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
        tie_word_embeddings=True,
    )
    return LlavaConfig(
        vision_config=vision,
        text_config=text,
        image_token_index=tokenizer.vocab["<image>"],
        image_seq_length=GRID**2,
        vision_feature_layer=-1,
        vision_feature_select_strategy="default",
        projector_hidden_act="gelu",
        tie_word_embeddings=True,
    )


@torch.no_grad()
def initialise_attention(model: LlavaForConditionalGeneration, scale: float = 2.5) -> None:
    """Initialise every attention head so that each token attends to similar tokens.

    Queries and keys start as the same projection (mimetic initialisation; Trockman and Kolter, 2023). From independent
    projections the model did not learn in thousands of steps to match a name with its patches: asked for the place of
    one of two things, it named the place of either.

    Args:
        model: an untrained model.
        scale: scale of both projections; at 2.5 the weight of a similar token is about a hundred times that of others.
    """
    for layer in model.model.language_model.layers:
        layer.self_attn.k_proj.weight.mul_(scale)
        layer.self_attn.q_proj.weight.copy_(layer.self_attn.k_proj.weight)


@torch.no_grad()
def separate_unseen_words(embeddings: nn.Embedding, seen: Collection[int]) -> None:
    """Separate the embeddings of the words that training never showed.

    With tied embeddings, such a word only receives the gradient of not being generated, and all of them receive the
    same: their embeddings become nearly equal, and no later stage can distinguish them. The common part of these
    embeddings stays; their differences are scaled to the average difference of the seen words.

    Args:
        embeddings: embeddings of a trained model, shape (W, D); changed in place.
        seen: ids that training showed, in a prompt or in an answer.
    """
    weight_WD = embeddings.weight
    known_W = torch.zeros(len(weight_WD), dtype=torch.bool, device=weight_WD.device)
    known_W[sorted(seen)] = True
    if bool(known_W.all()):
        return
    shared_D = weight_WD[~known_W].mean(0)
    own_UD = weight_WD[~known_W] - shared_D
    spread = (weight_WD[known_W] - weight_WD[known_W].mean(0)).norm(dim=1).mean()
    weight_WD[~known_W] = shared_D + F.normalize(own_UD, dim=1) * spread
