from safety_core.data.duplicates.groups import group_keys


def test_groups_are_what_pairs_connect() -> None:
    groups = group_keys("abcde", [("b", "a"), ("c", "b"), ("e", "d")])
    assert groups == {"a": "a", "b": "a", "c": "a", "d": "d", "e": "d"}


def test_pairs_may_bring_keys_of_their_own() -> None:
    assert group_keys((), [(3, 1), (1, 7)]) == {1: 1, 3: 1, 7: 1}
