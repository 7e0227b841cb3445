"""What is kept, for how long, and under which name."""

from dataclasses import replace
from typing import Any

import pytest

from safety_core.engine.messages import ChatRequest, GuardRequest
from safety_core.engine.serving.verdict_cache import VerdictCache, compute_key
from safety_core.engine.work import JudgedRequest
from safety_core.inputs.conversation import Turn
from safety_core.inputs.images.decoding import DecodedImage
from safety_core.policy.named_policies import ActivePolicy
from safety_core.policy.policy import Decision, Policy
from safety_core.taxonomy import DEFAULT_TAXONOMY
from tests.helpers.engine.fakes import FakeGuard
from tests.helpers.images.pictures import create_picture

ENTRY = 4096


def judged(decision: Decision | None = Decision.ALLOWED, nbytes: int = 0) -> JudgedRequest:
    return JudgedRequest(verdict=FakeGuard(decision=decision).assess(request()), nbytes=nbytes)


def request(*images: DecodedImage, text: str = "What is it?", **options: Any) -> GuardRequest:
    return GuardRequest(images=images, turns=(Turn(role="user", text=text),), **options)


def test_the_least_recently_used_goes_first() -> None:
    cache = VerdictCache(2 * ENTRY)
    cache.put("a", judged())
    cache.put("b", judged())
    assert cache.get("a") is not None
    cache.put("c", judged())
    assert cache.get("b") is None
    assert cache.get("a") is not None
    assert cache.get("c") is not None


def test_features_count_by_their_bytes() -> None:
    cache = VerdictCache(4 * ENTRY)
    cache.put("small", judged())
    cache.put("large", judged(nbytes=3 * ENTRY))
    assert (len(cache), cache.nbytes) == (1, 4 * ENTRY)
    assert cache.get("large") is not None
    cache.put("too large", judged(nbytes=4 * ENTRY))
    assert cache.get("too large") is None


def test_nothing_is_kept_without_memory_or_without_a_verdict() -> None:
    none, some = VerdictCache(0), VerdictCache(10 * ENTRY)
    none.put("a", judged())
    some.put("a", judged(None))
    assert none.get("a") is None
    assert some.get("a") is None


def test_putting_twice_counts_once() -> None:
    cache = VerdictCache(10 * ENTRY)
    cache.put("a", judged())
    cache.put("a", judged())
    assert (len(cache), cache.nbytes) == (1, ENTRY)


def test_a_key_is_a_digest_of_all_that_a_verdict_depends_on() -> None:
    red, blue = create_picture("red"), create_picture("blue")
    base = request(red)
    others = [
        request(blue),
        request(red, red),
        request(red, blue),
        request(blue, red),
        request(),
        request(red, text="What is it? "),
        request(red, heatmap=True),
        GuardRequest(images=(red,)),
        replace(base, turns=(replace(base.turns[0], parts=("What", "is it?")),)),
        ChatRequest(images=base.images, turns=base.turns),
        replace(base, turns=(*base.turns, Turn(role="assistant", text="a"), Turn(role="user", text="b"))),
        replace(base, turns=(Turn(role="user", text="What is"), Turn(role="assistant", text="a"), *base.turns)),
    ]
    keys = {compute_key(one, "policy") for one in (base, *others)} | {compute_key(base, "other policy")}
    assert len(keys) == len(others) + 2
    assert compute_key(request(create_picture("red")), "policy") == compute_key(base, "policy")
    assert "What" not in compute_key(base, "policy")


@pytest.mark.parametrize("text", ["\ud800", "\x00", "🙂", '"],["'])
def test_any_text_has_a_key(text: str) -> None:
    assert len(compute_key(request(text=text), "policy")) == 64


def test_other_policies_are_another_key_and_equal_ones_the_same() -> None:
    policy = Policy.create_default(DEFAULT_TAXONOMY)
    own, default, strict, equal = (
        compute_key(request(policy=one), "policy")
        for one in (
            None,
            ActivePolicy(policy=policy),
            ActivePolicy(name="strict", policy=policy),
            ActivePolicy(policy=replace(policy)),
        )
    )
    assert len({own, default, strict}) == 3
    assert equal == default


def test_options_that_change_no_verdict_share_it() -> None:
    turns = request().turns
    first = ChatRequest(turns=turns, max_tokens=5, temperature=0.5, seed=1)
    assert compute_key(first, "policy") == compute_key(ChatRequest(turns=turns), "policy")
