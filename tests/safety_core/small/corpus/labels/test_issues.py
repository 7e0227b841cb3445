from safety_core.small.corpus.labels.issues import _KINDS, ISSUE_KINDS


def test_every_topic_has_one_kind() -> None:
    assert sum(len(topics.split()) for topics in _KINDS.values()) == len(ISSUE_KINDS) == 212
    assert ISSUE_KINDS["317"] == "partisan"
