import numpy as np

from safety_core.data.duplicates.near_texts import WORDS_ALIKE
from safety_core.dataset_audit.duplicates.near_texts import CROWD, group_equal, group_texts
from safety_core.dataset_audit.duplicates.signatures import TextSignature, sign_text
from safety_core.dataset_audit.duplicates.union_file import UnionArray

STORY = "the old lighthouse keeper counted seven ships before the storm took the light away from the northern pier"


def sign(text: str) -> TextSignature:
    signature = sign_text(text)
    assert signature is not None
    return signature


def group_words(texts: list[str]) -> tuple[list[int], bool]:
    union = UnionArray(np.arange(len(texts)))
    rows = np.array([np.frombuffer(sign(text).words, dtype=np.uint8) for text in texts])
    complete = group_texts(rows, np.ones(len(texts), dtype=np.bool_), WORDS_ALIKE, union)
    return union.find(np.arange(len(texts))).tolist(), complete


def test_texts_that_share_most_words_are_grouped() -> None:
    changed = STORY.replace("seven", "nine")
    other = "a recipe for onion soup needs butter and flour and a great deal of patience at the stove in winter"
    assert group_words([STORY, other, changed, other + " again"]) == ([0, 1, 0, 1], True)


def test_equal_texts_are_grouped_whatever_their_length() -> None:
    digests = np.array([sign(text).digest for text in ("Hi!", "bye", "hi")], dtype=np.uint64)
    union = UnionArray(np.arange(3))
    group_equal(digests, np.array([True, True, True]), union)
    assert union.find(np.arange(3)).tolist() == [0, 1, 0]


def test_of_a_crowd_not_all_pairs_are_compared_and_the_result_says_so() -> None:
    groups, complete = group_words([STORY] * (CROWD + 5))
    assert not complete
    assert not any(groups)
