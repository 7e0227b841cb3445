from collections import Counter

from safety_core.nano.corpus.contents import CLOSED, REQUESTS
from safety_core.nano.corpus.safety_pairs import sample_safety_pairs, sample_safety_scene


def test_safety_modules_learn_from_requests_first() -> None:
    kinds: Counter[str] = Counter()
    for index in range(150):
        picture = sample_safety_scene(0, "train", index)
        chosen = sample_safety_pairs(0, "train", index, picture)
        assert len(chosen) == 3
        assert all(pair.picture is picture for pair in chosen)
        assert len({pair.question.kind for pair in chosen}) == 3
        assert chosen == sample_safety_pairs(0, "train", index, picture)
        kinds.update(pair.question.kind for pair in chosen)
    assert set(kinds) == {"describe", *CLOSED, *REQUESTS, "talk", "risky_talk", "noise"}
    plain = ("describe", *CLOSED[:-1], "talk", "noise")
    assert kinds.total() > 2 * sum(kinds[kind] for kind in plain)
