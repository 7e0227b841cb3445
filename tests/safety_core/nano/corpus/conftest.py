"""A small suite for every test of the corpus."""

import pytest

from safety_core.nano.corpus.pairs import LabelledPair
from safety_core.nano.corpus.suite_pairs import SuitePlan, sample_suite_pairs


@pytest.fixture(scope="session")
def plan() -> SuitePlan:
    return SuitePlan(per_cell=3, safe=60, typographic=10)


@pytest.fixture(scope="session")
def suite(plan: SuitePlan) -> list[LabelledPair]:
    return list(sample_suite_pairs(0, plan))
