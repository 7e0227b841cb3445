from collections import Counter
from random import Random

import pytest

from safety_core.nano.corpus.contents import (
    CONTENT_WEIGHTS,
    RISKY_CONTENTS,
    SAFE_CONTENTS,
    sample_content,
    sample_row,
)
from safety_core.nano.language.labelling_rules import get_picture_risk, list_contents


def test_every_row_of_the_table_is_either_risky_or_harmless() -> None:
    assert sorted((*SAFE_CONTENTS, *RISKY_CONTENTS)) == sorted(list_contents())
    assert all(get_picture_risk(content).level == 0 for content in SAFE_CONTENTS)
    assert all(get_picture_risk(content).level > 0 for content in RISKY_CONTENTS)


def test_weights_are_of_rows_that_exist() -> None:
    assert set(CONTENT_WEIGHTS) <= set(list_contents())


def test_a_row_is_as_frequent_as_its_weight_and_without_one_has_weight_one() -> None:
    rng = Random(0)
    rows = Counter(sample_row(rng, ("a", "b", "c"), {"a": 2.0, "c": 0.0, "d": 9.0}) for _ in range(3000))
    assert set(rows) == {"a", "b"}
    assert rows["a"] / rows["b"] == pytest.approx(2.0, rel=0.1)


def test_contents_of_training_are_as_frequent_as_their_weights() -> None:
    rng = Random(0)
    rows = Counter(sample_content(rng) for _ in range(6000))
    assert rows["clean"] / rows["group_contempt"] == pytest.approx(3.0, rel=0.15)
    plain = [row for row in list_contents() if row not in CONTENT_WEIGHTS]
    mean = sum(rows[row] for row in plain) / len(plain)
    assert rows["clean"] / mean == pytest.approx(6.0, rel=0.15)


def test_equal_generators_sample_equal_rows() -> None:
    one, same, other = ([sample_content(rng) for _ in range(20)] for rng in (Random(1), Random(1), Random(2)))
    assert one == same != other
