from itertools import chain

from safety_core.evaluation.benchmarks.training_rows.row_keys import (
    build_id_key,
    build_picture_key,
    list_text_keys,
    probe_picture_keys,
)

LONG = "Which tools does a gardener need to cut a tall hedge without a ladder in the rain"


def share_key(one: str, two: str) -> bool:
    first, second = (set(chain.from_iterable(list_text_keys([text]))) for text in (one, two))
    return bool(first & second)


def test_equal_texts_share_all_keys_whatever_their_case_and_punctuation() -> None:
    assert list_text_keys([LONG]) == list_text_keys([LONG.upper() + "?!"])


def test_texts_with_one_word_changed_share_a_key_and_other_texts_do_not() -> None:
    words = LONG.split()
    changed = [" ".join([*words[:place], "other", *words[place + 1 :]]) for place in range(len(words))]
    assert sum(share_key(LONG, text) for text in changed) >= len(words) * 0.7
    assert not share_key(LONG, "Which clouds does a sailor fear when the wind turns to the north at night")


def test_short_texts_match_as_a_whole_only() -> None:
    assert share_key("Say cheese!", "say cheese")
    assert not share_key("Say cheese", "Say please")


def test_texts_without_words_have_no_keys() -> None:
    assert list_text_keys(["…", "?"]) == []


def test_the_last_of_several_turns_has_keys_of_its_own() -> None:
    keys = list_text_keys(["Hello there, my good friend", LONG])
    assert list_text_keys([LONG])[0] in keys
    assert len(keys) == 2


def test_an_id_without_a_data_set_has_no_key() -> None:
    assert build_id_key("-", "1") is None
    assert build_id_key("xstest", "1") != build_id_key("harmbench", "1")


def test_pictures_that_differ_in_two_bits_are_probed() -> None:
    probes = set(probe_picture_keys(0b1011))
    assert len(probes) == 1 + 64 + 64 * 63 // 2
    assert build_picture_key(0b1000) in probes
    assert build_picture_key(0b10100) not in probes
