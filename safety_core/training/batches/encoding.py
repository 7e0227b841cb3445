"""Encodes samples as token ids for the head and for the language model, and drops samples that are too long."""

from collections.abc import Sequence

from safety_core.data.samples import RiskLabel, Sample
from safety_core.errors import PromptError, SampleError
from safety_core.inputs.prompt_encoding import EncodedPrompt
from safety_core.model.hints import find_hint
from safety_core.model.safe_llava import SafeLlava
from safety_core.policy.named_policies import Hints
from safety_core.taxonomy import Taxonomy


def encode_texts(model: SafeLlava, sample: Sample) -> tuple[int, ...]:
    """Encode the user's texts for the head; raises SampleError if they are longer than the model reads."""
    try:
        return tuple(model.prompts.encode_user_words(sample.turns)) if sample.turns else ()
    except PromptError as exc:
        raise sample.create_error(exc.message, "conversations") from exc


def encode_prompt(model: SafeLlava, sample: Sample, *, hinted: bool) -> EncodedPrompt:
    """Encode the prompt as in serving, with its answer and, if ``hinted``, the hint for its gold label.

    Raises:
        SampleError: the prompt does not fit the model's context, images included.
    """
    hint = find_gold_hint(sample.label, model.hints, model.taxonomy) if hinted else None
    try:
        encoded = model.prompts.encode(sample.turns, len(sample.images), hint=hint, answer=sample.answer)
    except PromptError as exc:
        raise sample.create_error(exc.message, "conversations") from exc
    if (length := count_positions(model, encoded)) > model.context_length:
        raise sample.create_error(
            f"with images and answer it has {length} positions, but the model's context has {model.context_length}",
            "conversations",
        )
    return encoded


def count_positions(model: SafeLlava, encoded: EncodedPrompt) -> int:
    """Count the positions of a prompt in the language model, images included."""
    return len(encoded.input_ids) + (model.positions_per_image - 1) * len(encoded.image_positions)


def drop_too_long(
    model: SafeLlava, samples: Sequence[Sample], *, train_lm: bool
) -> tuple[tuple[Sample, ...], tuple[SampleError, ...]]:
    """Split samples into those whose prompts fit the model, and an error for each other sample."""
    fitting: list[Sample] = []
    errors: list[SampleError] = []
    for sample in samples:
        try:
            encode_texts(model, sample)
            if train_lm and sample.answer is not None:
                encode_prompt(model, sample, hinted=True)
        except SampleError as exc:
            errors.append(exc)
        else:
            fitting.append(sample)
    return tuple(fitting), tuple(errors)


def find_gold_hint(label: RiskLabel, hints: Hints, taxonomy: Taxonomy) -> str | None:
    """Find the hint that serving appends to a prompt with this label; None for the worst level, which is refused."""
    if label.level == len(taxonomy.levels) - 1:
        return None
    return find_hint(hints, taxonomy.types[label.type], label.level)
