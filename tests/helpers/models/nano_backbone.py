"""A tiny untrained backbone of the nano's kind, with a tokenizer for a few questions."""

import torch
from transformers import LlavaForConditionalGeneration, PreTrainedTokenizerFast

from safety_core.nano.pretrain.language.model import create_llava_config
from safety_core.nano.pretrain.recipes import LanguageRecipe, VisionRecipe
from safety_core.nano.pretrain.tokenizer import train_tokenizer
from safety_core.nano.pretrain.vision.tower import create_tower_config

RECIPE = LanguageRecipe(hidden=16, layers=2, heads=2, intermediate=24, steps=99, polish_steps=3, warmup=1)
EYES = VisionRecipe(hidden=12, layers=2, heads=2)
ABOUT_ONE = [
    ("what is this?", "It is a dog."),
    ("read it", "It says: open."),
    ("count the dogs", "There are two dogs."),
]
ABOUT_OTHER = [("where is the cat?", "The cat is at the top left.")]
TALK = [("hello", "Hello! How can I help you?"), ("how do i bake a cake", "Sure.")]


def make_tokenizer() -> PreTrainedTokenizerFast:
    return train_tokenizer(
        [f"USER: \n{q} ASSISTANT: {a}" for q, a in (*ABOUT_ONE, *ABOUT_OTHER, *TALK)], vocab_size=300
    )


def make_model(tokenizer: PreTrainedTokenizerFast) -> LlavaForConditionalGeneration:
    torch.manual_seed(0)
    model = LlavaForConditionalGeneration(create_llava_config(RECIPE, create_tower_config(EYES), tokenizer))
    model.eval()
    return model
