import torch

from safety_core.data.samples import RiskLabel, Sample
from safety_core.model.safe_llava import SafeLlava
from safety_core.training.batches.dataset import BatchDataset
from safety_core.training.batches.plan import MicroBatch
from tests.helpers.datasets.corpora import build_corpus


def test_a_batch_shows_the_head_what_was_labelled(model: SafeLlava, samples: tuple[Sample, ...]) -> None:
    corpus = build_corpus(model, samples)
    red_pair, words = 1, len(samples) - 4
    batch = BatchDataset(corpus, [MicroBatch((red_pair, words), 0)], surface_weight=0.5)[0]
    (joint,), (picture,) = batch.head["joint"], batch.head["image"]
    assert (joint.images, joint.label) == ((0,), RiskLabel(type=1, level=3))
    assert joint.ids == tuple(model.prompts.encode_user_words(samples[red_pair].turns))
    assert (picture.images, picture.ids, picture.label) == ((0,), (), RiskLabel(type=1, level=1))
    assert {(row.ids, row.label.type) for row in batch.head["text"]} == {
        (joint.ids, 6),
        (corpus.encode_texts(words), 1),
    }
    assert batch.head["joint"][joint] == 0.5
    assert batch.head["image"][picture] == 0.5


def test_equal_rows_are_merged(model: SafeLlava, samples: tuple[Sample, ...]) -> None:
    corpus = build_corpus(model, samples)
    same_picture = (0, 1)
    batch = BatchDataset(corpus, [MicroBatch(same_picture, 0)], surface_weight=0.5)[0]
    assert len(batch.head["joint"]) == 2
    assert list(batch.head["image"].values()) == [0.5]
    assert batch.vision is not None
    assert batch.vision.pixels_BCHW is not None
    assert len(batch.vision.pixels_BCHW) == 1


def test_weights_divide_by_the_whole_step(model: SafeLlava, samples: tuple[Sample, ...]) -> None:
    corpus = build_corpus(model, samples)
    planned = [MicroBatch((0, 1, 2), 0), MicroBatch((3,), 0), MicroBatch((4, 5), 0)]
    dataset = BatchDataset(corpus, planned, accumulate=2)
    tokens = corpus.answer_tokens[:4].sum()
    assert [dataset[0].lm_weight, dataset[1].lm_weight] == [2 / tokens, 2 / tokens]
    assert {weight for number in (0, 1) for weight in dataset[number].head["joint"].values()} == {0.5}
    # The last step holds one batch only.
    assert set(dataset[2].head["joint"].values()) == {0.5}
    assert dataset[2].lm_weight == 1 / corpus.answer_tokens[4:6].sum()


def test_the_head_alone_needs_no_answers(model: SafeLlava, samples: tuple[Sample, ...]) -> None:
    batch = BatchDataset(build_corpus(model, samples, lm=False), [MicroBatch((0, 1), 0)])[0]
    assert batch.encoded == ()
    batch = BatchDataset(build_corpus(model, samples, head=False), [MicroBatch((0, 1), 0)])[0]
    assert not any(batch.head.values())


def test_a_tenth_of_the_hints_is_dropped_the_same_way_every_time(model: SafeLlava, samples: tuple[Sample, ...]) -> None:
    corpus = build_corpus(model, samples)
    planned = [MicroBatch((0,), epoch) for epoch in range(400)]

    def lengths() -> list[int]:
        dataset = BatchDataset(corpus, planned, hint_dropout=0.1, seed=3)
        return [len(dataset[number].encoded[0].input_ids) for number in range(len(planned))]

    found = lengths()
    assert found == lengths()
    assert 0.05 < sum(length < max(found) for length in found) / len(found) < 0.15


def test_a_batch_moves_with_its_tensors(model: SafeLlava, samples: tuple[Sample, ...]) -> None:
    batch = BatchDataset(build_corpus(model, samples), [MicroBatch((0,), 0)])[0].to(torch.device("meta"))
    assert batch.vision is not None
    assert batch.vision.pixels_BCHW is not None
    assert batch.vision.pixels_BCHW.device.type == "meta"
