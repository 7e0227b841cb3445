from collections import Counter

from safety_core.training.batches.plan import plan_batches

GROUPS = [[0, 1, 2], [3], [4, 5], [6, 7, 8, 9], [10]]
LENGTHS = [9, 1, 5, 3, 7, 2, 8, 6, 4, 1, 2]


def test_every_epoch_sees_every_sample_once() -> None:
    planned = plan_batches(GROUPS, LENGTHS, batch_size=4, epochs=3, share=2, seed=1)
    for epoch in range(3):
        seen = Counter(index for batch in planned if batch.epoch == epoch for index in batch.samples)
        assert seen == Counter(range(11))
    assert max(len(batch.samples) for batch in planned) <= 4


def test_a_plan_is_a_function_of_its_arguments() -> None:
    first = plan_batches(GROUPS, LENGTHS, batch_size=4, epochs=2, share=2, seed=1)
    assert first == plan_batches(GROUPS, LENGTHS, batch_size=4, epochs=2, share=2, seed=1)
    assert first != plan_batches(GROUPS, LENGTHS, batch_size=4, epochs=2, share=2, seed=2)
    longer = plan_batches(GROUPS, LENGTHS, batch_size=4, batches=9, share=2, seed=1)
    assert longer[: len(first)] == first
    assert len(longer) == 9


def test_part_of_an_epoch_is_part_of_its_batches() -> None:
    whole = plan_batches(GROUPS, LENGTHS, batch_size=2, epochs=1, seed=1)
    assert plan_batches(GROUPS, LENGTHS, batch_size=2, epochs=0.5, seed=1) == whole[: -(-len(whole) // 2)]


def test_prompts_of_a_picture_stay_together_up_to_a_bound() -> None:
    groups = [list(range(start, start + 6)) for start in range(0, 60, 6)]
    planned = plan_batches(groups, [1] * 60, batch_size=12, share=3)
    for batch in planned:
        together = Counter(index // 6 for index in batch.samples)
        assert all(count % 3 == 0 for count in together.values())


def test_batches_hold_samples_of_similar_length() -> None:
    lengths = [index % 50 for index in range(400)]
    planned = plan_batches([[index] for index in range(400)], lengths, batch_size=8)
    spread = [max(lengths[i] for i in batch.samples) - min(lengths[i] for i in batch.samples) for batch in planned]
    assert sum(spread) / len(spread) < 5
