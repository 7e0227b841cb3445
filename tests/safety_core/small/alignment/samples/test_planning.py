from collections import Counter
from pathlib import Path

from safety_core.small.alignment.samples.photos import Photo
from safety_core.small.alignment.samples.planning import SHARES, SamplePlanner
from tests.helpers.datasets.photo_facts import make_photos


def test_shares_are_whole() -> None:
    assert abs(sum(SHARES.values()) - 1) < 1e-9


def test_yes_and_no_are_in_balance(tmp_path: Path) -> None:
    planned = SamplePlanner(make_photos(tmp_path), 1).plan(200)
    answers = Counter(one.exchange.answer.startswith("Yes") for one in planned if one.exchange.kind == "yes-no")
    assert answers[True] == answers[False] == 22


def test_photographs_take_turns(tmp_path: Path) -> None:
    planned = SamplePlanner(make_photos(tmp_path), 1).plan(100)
    named = Counter(one.picture.id for one in planned if one.exchange.kind == "name" and isinstance(one.picture, Photo))
    assert set(named.values()) <= {3, 4}


def test_captions_are_learnt_once(tmp_path: Path) -> None:
    photos = make_photos(tmp_path)
    answers = [one.exchange.answer for one in SamplePlanner(photos, 1).plan(400) if one.exchange.kind == "describe"]
    assert all(answers.count(caption) == 1 for caption in photos[-1].captions)


def test_the_plan_follows_from_the_seed(tmp_path: Path) -> None:
    photos = make_photos(tmp_path)
    assert SamplePlanner(photos, 1).plan(60) == SamplePlanner(photos, 1).plan(60)
    assert SamplePlanner(photos, 1).plan(60) != SamplePlanner(photos, 2).plan(60)


def test_photographs_without_names_still_give_samples(tmp_path: Path) -> None:
    planned = SamplePlanner(make_photos(tmp_path)[-1:], 1).plan(60)
    assert {one.exchange.kind for one in planned} == {"describe", "yes-no", "count", "person", "unknowable"}
