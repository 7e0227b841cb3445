from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch

from safety_core.data.sample_images import build_image_table
from safety_core.data.samples import RiskLabel, Sample
from safety_core.errors import SampleError
from safety_core.inputs.prompts import Turn
from safety_core.model.hints import select_hint
from safety_core.model.safe_llava import SafeLlava
from safety_core.policy.policy import Decision, Verdict
from safety_core.training.batches import BatchDataset, Corpus, MicroBatch, drop_too_long, gold_hint, plan
from safety_core.training.vision_features import LivePictures

GROUPS = [[0, 1, 2], [3], [4, 5], [6, 7, 8, 9], [10]]
LENGTHS = [9, 1, 5, 3, 7, 2, 8, 6, 4, 1, 2]


def corpus_of(model: SafeLlava, samples: Sequence[Sample], *, head: bool = True, lm: bool = True) -> Corpus:
    table = build_image_table(samples)
    return Corpus(model, samples, table, LivePictures(table, model), train_head=head, train_lm=lm)


def test_every_epoch_sees_every_sample_once() -> None:
    planned = plan(GROUPS, LENGTHS, batch_size=4, epochs=3, share=2, seed=1)
    for epoch in range(3):
        seen = Counter(index for batch in planned if batch.epoch == epoch for index in batch.samples)
        assert seen == Counter(range(11))
    assert max(len(batch.samples) for batch in planned) <= 4


def test_a_plan_is_a_function_of_its_arguments() -> None:
    first = plan(GROUPS, LENGTHS, batch_size=4, epochs=2, share=2, seed=1)
    assert first == plan(GROUPS, LENGTHS, batch_size=4, epochs=2, share=2, seed=1)
    assert first != plan(GROUPS, LENGTHS, batch_size=4, epochs=2, share=2, seed=2)
    longer = plan(GROUPS, LENGTHS, batch_size=4, batches=9, share=2, seed=1)
    assert longer[: len(first)] == first
    assert len(longer) == 9


def test_part_of_an_epoch_is_part_of_its_batches() -> None:
    whole = plan(GROUPS, LENGTHS, batch_size=2, epochs=1, seed=1)
    assert plan(GROUPS, LENGTHS, batch_size=2, epochs=0.5, seed=1) == whole[: -(-len(whole) // 2)]


def test_prompts_of_a_picture_stay_together_up_to_a_bound() -> None:
    groups = [list(range(start, start + 6)) for start in range(0, 60, 6)]
    planned = plan(groups, [1] * 60, batch_size=12, share=3)
    for batch in planned:
        together = Counter(index // 6 for index in batch.samples)
        assert all(count % 3 == 0 for count in together.values())


def test_batches_hold_samples_of_similar_length() -> None:
    lengths = [index % 50 for index in range(400)]
    planned = plan([[index] for index in range(400)], lengths, batch_size=8)
    spread = [max(lengths[i] for i in batch.samples) - min(lengths[i] for i in batch.samples) for batch in planned]
    assert sum(spread) / len(spread) < 5


def test_a_batch_shows_the_head_what_was_labelled(model: SafeLlava, samples: tuple[Sample, ...]) -> None:
    corpus = corpus_of(model, samples)
    red_pair, words = 1, len(samples) - 4
    batch = BatchDataset(corpus, [MicroBatch((red_pair, words), 0)], surface_weight=0.5)[0]
    (joint,), (picture,) = batch.head["joint"], batch.head["image"]
    assert (joint.images, joint.label) == ((0,), RiskLabel(type=1, level=3))
    assert joint.ids == tuple(model.prompts.head_ids(samples[red_pair].turns))
    assert (picture.images, picture.ids, picture.label) == ((0,), (), RiskLabel(type=1, level=1))
    assert {(row.ids, row.label.type) for row in batch.head["text"]} == {(joint.ids, 6), (corpus.words(words), 1)}
    assert batch.head["joint"][joint] == 0.5
    assert batch.head["image"][picture] == 0.5


def test_equal_rows_are_merged(model: SafeLlava, samples: tuple[Sample, ...]) -> None:
    corpus = corpus_of(model, samples)
    same_picture = (0, 1)
    batch = BatchDataset(corpus, [MicroBatch(same_picture, 0)], surface_weight=0.5)[0]
    assert len(batch.head["joint"]) == 2
    assert list(batch.head["image"].values()) == [0.5]
    assert batch.vision is not None
    assert batch.vision.pixels_BCHW is not None
    assert len(batch.vision.pixels_BCHW) == 1


def test_weights_divide_by_the_whole_step(model: SafeLlava, samples: tuple[Sample, ...]) -> None:
    corpus = corpus_of(model, samples)
    planned = [MicroBatch((0, 1, 2), 0), MicroBatch((3,), 0), MicroBatch((4, 5), 0)]
    dataset = BatchDataset(corpus, planned, accumulate=2)
    tokens = corpus.answer_tokens[:4].sum()
    assert [dataset[0].lm_weight, dataset[1].lm_weight] == [2 / tokens, 2 / tokens]
    assert {weight for number in (0, 1) for weight in dataset[number].head["joint"].values()} == {0.5}
    # The last step holds one batch only.
    assert set(dataset[2].head["joint"].values()) == {0.5}
    assert dataset[2].lm_weight == 1 / corpus.answer_tokens[4:6].sum()


def test_the_head_alone_needs_no_answers(model: SafeLlava, samples: tuple[Sample, ...]) -> None:
    batch = BatchDataset(corpus_of(model, samples, lm=False), [MicroBatch((0, 1), 0)])[0]
    assert batch.encoded == ()
    batch = BatchDataset(corpus_of(model, samples, head=False), [MicroBatch((0, 1), 0)])[0]
    assert not any(batch.head.values())


@pytest.mark.parametrize("known", [(1, 2), (1,), (2,)], ids=str)
@pytest.mark.parametrize("level", [1, 2])
def test_hints_appear_as_in_serving(
    model: SafeLlava, samples: tuple[Sample, ...], level: int, known: tuple[int, ...]
) -> None:
    model.hints = {"illegal": {each: f"Mind level {each}." for each in known}}
    sample = replace(samples[0], label=RiskLabel(type=1, level=level))
    verdict = Verdict(
        decision=Decision.CAUTIONED, type="illegal", level=level, unsafe_probability=0.9, level_scores={level: 0.9}
    )
    served = model.prompts.encode(sample.turns, 1, hint=select_hint(model.hints, verdict))
    learned = corpus_of(model, [sample]).encode(0, hinted=True)
    assert learned.answer_span is not None
    assert learned.input_ids[: learned.answer_span[0]] == served.input_ids


def test_neither_a_refusal_nor_a_harmless_pair_is_hinted(model: SafeLlava, samples: tuple[Sample, ...]) -> None:
    corpus = corpus_of(model, samples)
    refused, safe = 1, len(samples) - 3
    for index in (refused, safe):
        assert corpus.encode(index, hinted=True) == corpus.encode(index, hinted=False)


def test_hints_exist_between_the_harmless_and_the_worst_level(model: SafeLlava) -> None:
    hints = [gold_hint(RiskLabel(type=1, level=level), model.hints, model.taxonomy) for level in range(4)]
    assert [hint is None for hint in hints] == [True, False, False, True]
    assert gold_hint(RiskLabel(type=6, level=0), model.hints, model.taxonomy) is None


def test_a_tenth_of_the_hints_is_dropped_the_same_way_every_time(model: SafeLlava, samples: tuple[Sample, ...]) -> None:
    corpus = corpus_of(model, samples)
    planned = [MicroBatch((0,), epoch) for epoch in range(400)]

    def lengths() -> list[int]:
        dataset = BatchDataset(corpus, planned, hint_dropout=0.1, seed=3)
        return [len(dataset[number].encoded[0].input_ids) for number in range(len(planned))]

    found = lengths()
    assert found == lengths()
    assert 0.05 < sum(length < max(found) for length in found) / len(found) < 0.15


def test_a_prompt_that_is_too_long_names_its_record(model: SafeLlava) -> None:
    turns = (Turn(role="user", text="word " * 600), Turn(role="assistant", text="No."))
    sample = Sample(id="x", images=(), conversation=turns, label=RiskLabel(type=6, level=0), file="data.jsonl", line=9)
    with pytest.raises(SampleError, match=r"data\.jsonl:9: conversations: [Tt]he prompt has"):
        corpus_of(model, [sample])


def test_prompts_that_are_too_long_are_dropped_and_listed(model: SafeLlava, samples: tuple[Sample, ...]) -> None:
    def worded(count: int, line: int) -> Sample:
        turns = (Turn(role="user", text="a" * count), Turn(role="assistant", text="No."))
        return replace(samples[0], conversation=turns, line=line)

    # The words alone just fit; with template and picture they do not.
    longest = next(n for n in range(2000) if len(model.prompts.head_ids((Turn(role="user", text="a" * n),))) == 512)
    given = [samples[0], worded(longest, 7), worded(2 * longest + 2, 8)]
    kept, errors = drop_too_long(model, given, train_lm=True)
    assert kept == (samples[0],)
    assert [error.line for error in errors] == [7, 8]
    corpus_of(model, kept)
    kept, errors = drop_too_long(model, given, train_lm=False)
    assert [error.line for error in errors] == [8]
    corpus_of(model, kept, lm=False)


def test_a_batch_moves_with_its_tensors(model: SafeLlava, samples: tuple[Sample, ...]) -> None:
    batch = BatchDataset(corpus_of(model, samples), [MicroBatch((0,), 0)])[0].to(torch.device("meta"))
    assert batch.vision is not None
    assert batch.vision.pixels_BCHW is not None
    assert batch.vision.pixels_BCHW.device.type == "meta"
