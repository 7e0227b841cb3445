"""A corpus of samples whose pictures are decoded in every step."""

from collections.abc import Sequence

from safety_core.data.sample_images import build_image_table
from safety_core.data.samples import Sample
from safety_core.model.safe_llava import SafeLlava
from safety_core.training.batches.corpus import Corpus
from safety_core.training.batches.vision_sources import LiveImages


def build_corpus(model: SafeLlava, samples: Sequence[Sample], *, head: bool = True, lm: bool = True) -> Corpus:
    table = build_image_table(samples)
    return Corpus(model, samples, table, LiveImages(table, model), train_head=head, train_lm=lm)
