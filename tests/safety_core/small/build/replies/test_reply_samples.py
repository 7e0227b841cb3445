from pathlib import Path

from safety_core.small.build.replies.reply_samples import list_reply_samples, read_safe_replies
from safety_core.small.corpus.records import Record
from safety_core.taxonomy import DEFAULT_TAXONOMY


def words(type: str, level: int, count: int = 6) -> list[Record]:
    return [
        Record(id=f"own/{type}{level}{n}", source="own", surface="both", label=(type, level), text=f"Request {n}")
        for n in range(count)
    ]


PHOTOGRAPHS = [
    Record(id="a", source="flickr8k", surface="photo", label=("safe", 0), photo=Path("calm.jpg")),
    Record(id="b", source="guns", surface="photo", label=("illegal", 1), photo=Path("gun.jpg")),
    Record(id="c", source="coco", surface="photo", label=None, photo=Path("unlabelled.jpg")),
]


def test_every_risky_type_has_several_replies_of_both_manners() -> None:
    replies = read_safe_replies()
    assert set(replies) == set(DEFAULT_TAXONOMY.risky_types)
    for kind, manners in replies.items():
        assert set(manners) == {"refuse", "careful"}, kind
        assert all(len(set(texts)) >= 3 for texts in manners.values())


def test_level_1_is_answered_with_care_and_worse_is_refused() -> None:
    records = [*words("misleading", 1), *words("privacy", 2), *words("illegal", 3), *words("safe", 0)]
    samples = list(list_reply_samples(records, PHOTOGRAPHS, count=100, seed=0))
    assert len(samples) == 18, "harmless requests need no safe reply"
    for sample in samples:
        kind, level = sample.label
        assert sample.reply in read_safe_replies()[kind]["refuse" if level > 1 else "careful"]
    assert {sample.photo for sample in samples} == {None, Path("calm.jpg")}


def test_the_choice_does_not_depend_on_the_order_of_records() -> None:
    records = words("illegal", 3, count=40)
    some = [sample.id for sample in list_reply_samples(records, [], count=10, seed=0)]
    assert len(some) == 10
    assert some == [sample.id for sample in list_reply_samples(records[::-1], [], count=10, seed=0)]
