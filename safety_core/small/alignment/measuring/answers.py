"""Asks a model questions about pictures, in batches, and returns its answers as text.

The model answers without its guard: what is measured is what it names.
"""

from collections.abc import Sequence
from pathlib import Path

import torch
from PIL import Image

from safety_core.inputs.conversation import Turn
from safety_core.inputs.images.decoding import decode_image
from safety_core.inputs.images.views import Colour, pad_to_square
from safety_core.model.safe_llava import SafeLlava
from safety_core.model.vision.preprocessing import get_pad_colour
from safety_core.small.alignment.measuring.items import Crop, Item
from safety_core.small.alignment.samples.collages import Collage, draw_collage

LONGEST = 24
"""Largest number of tokens of an answer."""

_BATCH = 16


@torch.no_grad()
def answer_items(model: SafeLlava, items: Sequence[Item]) -> list[str]:
    """Answer each question by greedy decoding.

    Raises:
        ImageError: a photograph cannot be decoded.
    """
    answers: list[str] = []
    for start in range(0, len(items), _BATCH):
        answers += _answer_batch(model, items[start : start + _BATCH])
    return answers


def _answer_batch(model: SafeLlava, items: Sequence[Item]) -> list[str]:
    fill = get_pad_colour(model.image_processor)
    vision = model.encode_images(model.preprocess([load_picture(item, fill) for item in items]))
    prompts = [model.prompts.encode([Turn(role="user", text=item.question)], 1) for item in items]
    inputs = model.build_inputs(prompts, vision, [1] * len(items))
    # transformers types its own generate with a protocol that type checkers cannot follow.
    generated = model.backbone.generate(
        inputs_embeds=inputs.embeds_BTD,
        attention_mask=inputs.mask_BT,
        max_new_tokens=LONGEST,
        do_sample=False,
        eos_token_id=list(model.eos_ids),
        pad_token_id=model.tokenizer.pad_token_id,
        suppress_tokens=list(model.banned_ids),
    )
    return [str(model.tokenizer.decode(ids, skip_special_tokens=True)).strip() for ids in generated]


def load_picture(item: Item, fill: Colour) -> Image.Image:
    """Load or draw the picture of an item as the square that the model sees; raises ImageError as decoding does."""
    match item.picture:
        case Path():
            return decode_image(item.picture.read_bytes(), fill=fill).views[-1]
        case Crop(path=path, box=(left, top, right, bottom)):
            with Image.open(path) as photograph:
                width, height = photograph.size
                part = (round(left * width), round(top * height), round(right * width), round(bottom * height))
                return pad_to_square(photograph.convert("RGB").crop(part), fill)
        case Collage():
            return draw_collage(item.picture)
