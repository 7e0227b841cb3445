from collections import Counter

from safety_core.small.corpus.hashing import SHARES, hash_id, hash_text, pick_split


def test_splits_get_their_shares() -> None:
    counts = Counter(pick_split(f"set/{number}") for number in range(20_000))
    for split, share in SHARES:
        assert abs(counts[split] / 20_000 - share) < 0.01


def test_the_split_of_a_key_never_changes() -> None:
    assert [pick_split(key) for key in ("a", "b", "c")] == [pick_split(key) for key in ("a", "b", "c")]
    assert pick_split("anything", (("test", 1.0),)) == "test"


def test_white_space_does_not_change_an_id() -> None:
    assert hash_text("one\n two ") == hash_text("one two") != hash_text("onetwo")


def test_listed_hashes_do_not_show_the_hash_of_the_text() -> None:
    key = f"catqa/{hash_text('an invented text')}"
    assert len(hash_id(key)) == 12
    assert hash_id(key) not in key
    assert hash_id(key) != hash_id(f"{key}/lettering")
