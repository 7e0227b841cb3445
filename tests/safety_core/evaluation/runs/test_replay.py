from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from safety_core.engine.generation.generator import Generator
from safety_core.engine.generation.sequences import ReplySequence
from safety_core.engine.guard import Guard
from safety_core.engine.messages import ChatRequest
from safety_core.engine.protocols import StepOutput
from safety_core.errors import ConfigError
from safety_core.evaluation.runs.replay import TOO_LONG, Replay
from safety_core.evaluation.runs.systems import LoadedSystem
from safety_core.evaluation.scoring.judges import RubricJudge
from safety_core.evaluation.scoring.vision_features import VisionFeatureCache
from safety_core.evaluation.suites.suite import Suite, load_suite
from safety_core.inputs.images.decoding import decode_image
from safety_core.lettering.bounded_reader import BoundedReader
from safety_core.model.hints import select_hint
from safety_core.model.safe_llava import SafeLlava
from safety_core.policy.policy import Decision
from safety_core.taxonomy import Taxonomy
from tests.helpers.datasets.suite_factory import RUBRIC, SAFE, create_record, write_suite
from tests.helpers.engine.readers import FakeReader

JUDGE = RubricJudge(RUBRIC)


def test_a_guarded_row_does_pair_by_pair_what_serving_does(
    varied_suite: Suite, make_row: Callable[..., LoadedSystem]
) -> None:
    row = make_row()
    outcomes = Replay(varied_suite, JUDGE, batch_size=3).run(row)
    guard = Guard(row.model, row.policy)
    for outcome in outcomes:
        sample = outcome.pair.sample
        images = tuple(decode_image(path.read_bytes()) for path in sample.images)
        reply = guard.answer(
            ChatRequest(images=images, turns=sample.turns, max_tokens=varied_suite.spec.max_new_tokens)
        )
        served = reply.verdict.verdict
        assert outcome.verdict is not None
        assert outcome.reply is not None
        assert (outcome.verdict.decision, outcome.verdict.type, outcome.verdict.level) == (
            served.decision,
            served.type,
            served.level,
        )
        assert outcome.verdict.unsafe_probability == pytest.approx(served.unsafe_probability, abs=1e-5)
        assert outcome.reply.text == reply.content
        assert outcome.tokens == reply.completion_tokens
    decisions = {outcome.verdict.decision for outcome in outcomes if outcome.verdict is not None}
    assert decisions == set(Decision), "the policy of this test should bring about every decision"


def test_refused_pairs_never_reach_the_language_model(
    varied_suite: Suite, make_row: Callable[..., LoadedSystem], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    plain = Generator.admit

    def counting(self: Generator, rows: Sequence[ReplySequence]) -> list[StepOutput[ReplySequence]]:
        asked.append(len(rows))
        return plain(self, rows)

    monkeypatch.setattr(Generator, "admit", counting)
    outcomes = Replay(varied_suite, JUDGE).run(make_row())
    refused = [o for o in outcomes if o.verdict is not None and o.verdict.decision is Decision.REFUSED]
    assert sum(asked) == len(outcomes) - len(refused)
    assert all(o.reply is not None and o.reply.text is None and o.tokens == 0 for o in refused)


def test_every_picture_goes_through_the_tower_once_for_all_rows(
    varied_suite: Suite, make_row: Callable[..., LoadedSystem], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    plain = SafeLlava.encode_images

    def counting(self: SafeLlava, pixel_values: Any) -> Any:
        seen.append(len(pixel_values))
        return plain(self, pixel_values)

    monkeypatch.setattr(SafeLlava, "encode_images", counting)
    replay = Replay(varied_suite, JUDGE, batch_size=1)
    first = replay.run(make_row())
    second = replay.run(make_row())
    pictures = {path for pair in varied_suite.pairs for path in pair.sample.images}
    assert sum(seen) == len(pictures)
    assert first == second
    seen.clear()
    Replay(varied_suite, JUDGE, batch_size=3, cache=VisionFeatureCache(0)).run(make_row())
    assert sum(seen) == len(pictures), "one chunk holds all pairs, so even without a cache each is encoded once"


def test_switches_make_the_rows_of_the_ablation(varied_suite: Suite, make_row: Callable[..., LoadedSystem]) -> None:
    replay = Replay(varied_suite, JUDGE)
    bare = replay.run(make_row(use_head=False, use_llm_tokens=False))
    tokens = replay.run(make_row(use_head=False))
    assert all(o.verdict is None and o.scores is None and o.reply is not None for o in bare)
    assert [o.reply for o in bare] != [o.reply for o in tokens]
    without_picture = [index for index, pair in enumerate(varied_suite.pairs) if not pair.sample.images]
    assert [bare[index].reply for index in without_picture] == [tokens[index].reply for index in without_picture]


def test_hints_reach_cautioned_prompts_only_and_only_where_they_are_on(
    varied_suite: Suite, make_row: Callable[..., LoadedSystem]
) -> None:
    replay = Replay(varied_suite, JUDGE)
    hinted, plain = replay.run(make_row()), replay.run(make_row(use_hints=False))
    model = make_row().model
    changed = [a.verdict for a, b in zip(hinted, plain, strict=True) if a.reply != b.reply]
    assert changed
    assert all(verdict is not None and select_hint(model.hints, verdict) for verdict in changed)


def test_a_prompt_that_is_too_long_is_unscored(tmp_path: Path, make_row: Callable[..., LoadedSystem]) -> None:
    lines = [
        create_record("long", image=None, prompt="knife " * 600, label=(SAFE, 0)),
        create_record("short", image=None, prompt="hello", label=(SAFE, 0)),
    ]
    suite = load_suite(write_suite(tmp_path, lines))
    for switches in ({}, {"use_head": False}):
        long, short = Replay(suite, JUDGE).run(make_row(**switches))
        assert (long.reply, long.judgement.kind, long.judgement.reason) == (None, None, TOO_LONG)
        assert short.judgement.kind is not None


def test_a_pair_that_fails_takes_nobody_with_it(
    varied_suite: Suite, make_row: Callable[..., LoadedSystem], monkeypatch: pytest.MonkeyPatch
) -> None:
    row = make_row(use_head=False)
    calm = Replay(varied_suite, JUDGE).run(row)
    plain = SafeLlava.embed
    cursed = row.model.prompts.encode(varied_suite.pairs[0].sample.turns, 1).input_ids

    def failing(self: SafeLlava, encoded: Any, *args: Any, **kwargs: Any) -> Any:
        if any(prompt.input_ids == cursed for prompt in encoded):
            raise RuntimeError("SECRET")
        return plain(self, encoded, *args, **kwargs)

    monkeypatch.setattr(SafeLlava, "embed", failing)
    outcomes = Replay(varied_suite, JUDGE).run(row)
    hit = [index for index, outcome in enumerate(outcomes) if outcome.judgement.kind is None]
    assert 0 in hit
    assert len(hit) < len(outcomes)
    assert [o for i, o in enumerate(outcomes) if i not in hit] == [o for i, o in enumerate(calm) if i not in hit]


def test_a_suite_for_another_taxonomy_is_refused(varied_suite: Suite, make_row: Callable[..., LoadedSystem]) -> None:
    spec = replace(varied_suite.spec, taxonomy=Taxonomy(types=("bad", "safe"), levels=("no", "yes")))
    with pytest.raises(ConfigError, match="taxonomy"):
        Replay(replace(varied_suite, spec=spec), JUDGE).run(make_row())


def test_progress_counts_up_to_all_pairs(varied_suite: Suite, make_row: Callable[..., LoadedSystem]) -> None:
    seen: list[tuple[int, int]] = []
    Replay(varied_suite, JUDGE, batch_size=1).run(make_row(), lambda done, total: seen.append((done, total)))
    assert seen == [(8, 24), (16, 24), (24, 24)]


def test_rows_with_the_same_reader_read_each_picture_once(
    varied_suite: Suite, make_row: Callable[..., LoadedSystem], monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = FakeReader(texts=["Mind the gap"])
    monkeypatch.setattr(
        "safety_core.evaluation.runs.replay.create_sample_reader",
        lambda name: None if name is None else BoundedReader(reader),
    )
    replay, row = Replay(varied_suite, JUDGE), make_row()
    plain = replay.run(row)
    assert reader.sizes == []
    read = replay.run(replace(row, reader="rapidocr"))
    count = len(reader.sizes)
    assert count == len({path for pair in varied_suite.pairs for path in pair.sample.images})
    assert replay.run(replace(row, reader="rapidocr")) == read != plain
    assert len(reader.sizes) == count
