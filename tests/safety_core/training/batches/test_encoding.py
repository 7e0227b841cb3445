from dataclasses import replace

import pytest

from safety_core.data.samples import RiskLabel, Sample
from safety_core.inputs.conversation import Turn
from safety_core.model.hints import select_hint
from safety_core.model.safe_llava import SafeLlava
from safety_core.policy.policy import Decision, Verdict
from safety_core.training.batches.encoding import drop_too_long, find_gold_hint
from tests.helpers.datasets.corpora import build_corpus


@pytest.mark.parametrize("known", [(1, 2), (1,), (2,)], ids=str)
@pytest.mark.parametrize("level", [1, 2])
def test_hints_appear_as_in_serving(
    model: SafeLlava, samples: tuple[Sample, ...], level: int, known: tuple[int, ...]
) -> None:
    model.hints = {"illegal": {each: f"Mind level {each}." for each in known}}
    sample = replace(samples[0], label=RiskLabel(type=1, level=level))
    verdict = Verdict(
        decision=Decision.CAUTIONED, type="illegal", level=level, unsafe_probability=0.9, level_scores={level: 0.9}
    )
    served = model.prompts.encode(sample.turns, 1, hint=select_hint(model.hints, verdict))
    learned = build_corpus(model, [sample]).encode_prompt(0, hinted=True)
    assert learned.answer_span is not None
    assert learned.input_ids[: learned.answer_span[0]] == served.input_ids


def test_neither_a_refusal_nor_a_harmless_pair_is_hinted(model: SafeLlava, samples: tuple[Sample, ...]) -> None:
    corpus = build_corpus(model, samples)
    refused, safe = 1, len(samples) - 3
    for index in (refused, safe):
        assert corpus.encode_prompt(index, hinted=True) == corpus.encode_prompt(index, hinted=False)


def test_hints_exist_between_the_harmless_and_the_worst_level(model: SafeLlava) -> None:
    hints = [find_gold_hint(RiskLabel(type=1, level=level), model.hints, model.taxonomy) for level in range(4)]
    assert [hint is None for hint in hints] == [True, False, False, True]
    assert find_gold_hint(RiskLabel(type=6, level=0), model.hints, model.taxonomy) is None


def test_prompts_that_are_too_long_are_dropped_and_listed(model: SafeLlava, samples: tuple[Sample, ...]) -> None:
    def worded(count: int, line: int) -> Sample:
        turns = (Turn(role="user", text="a" * count), Turn(role="assistant", text="No."))
        return replace(samples[0], conversation=turns, line=line)

    # The words alone just fit; with template and picture they do not.
    longest = next(
        n for n in range(2000) if len(model.prompts.encode_user_words((Turn(role="user", text="a" * n),))) == 512
    )
    given = [samples[0], worded(longest, 7), worded(2 * longest + 2, 8)]
    kept, errors = drop_too_long(model, given, train_lm=True)
    assert kept == (samples[0],)
    assert [error.line for error in errors] == [7, 8]
    build_corpus(model, kept)
    kept, errors = drop_too_long(model, given, train_lm=False)
    assert [error.line for error in errors] == [8]
    build_corpus(model, kept, lm=False)
