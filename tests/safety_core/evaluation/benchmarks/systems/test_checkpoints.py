from pathlib import Path

import pytest

from safety_core.errors import ConfigError
from safety_core.evaluation.benchmarks.run_files import RunInfo
from safety_core.evaluation.benchmarks.systems.checkpoints import CheckpointRequest, load_checkpoint_systems
from safety_core.inputs.conversation import Turn
from safety_core.policy.documents import parse_policy
from safety_core.taxonomy import DEFAULT_TAXONOMY, Taxonomy
from tests.helpers.benchmarks.items import make_item, make_picture


def request(checkpoint: Path, **changes: object) -> CheckpointRequest:
    return CheckpointRequest(checkpoint=checkpoint, device="cpu", max_tokens=6, **changes)  # type: ignore[arg-type]


def test_guarded_and_bare_answer_words_and_pictures(tiny_checkpoint: Path, tmp_path: Path) -> None:
    guarded, bare = load_checkpoint_systems(request(tiny_checkpoint, bare=True), DEFAULT_TAXONOMY)
    turns = (Turn(role="user", text="a"), Turn(role="assistant", text="b"), Turn(role="user", text="c"))
    for item in (make_item(), make_item(picture=make_picture(tmp_path)), make_item(turns=turns)):
        judged, answered = guarded.answer(item), bare.answer(item)
        assert judged.error is answered.error is None
        assert judged.decision in ("allowed", "cautioned", "refused")
        assert judged.level_scores is not None
        assert judged.risk == pytest.approx(1 - judged.level_scores[0], abs=1e-5)
        assert judged.type_scores is not None
        assert set(judged.type_scores) == set(DEFAULT_TAXONOMY.types)
        assert isinstance(judged.reply, str)
        assert (judged.seconds or 0) > 0
        assert (answered.decision, answered.risk) == (None, None)
        assert isinstance(answered.reply, str)
    assert (guarded.info.name, bare.info.name) == ("guarded", "bare")
    assert guarded.info.digest == bare.info.digest
    assert guarded.info.model == tiny_checkpoint.name


def test_answers_are_the_same_every_time(tiny_checkpoint: Path) -> None:
    (system,) = load_checkpoint_systems(request(tiny_checkpoint), DEFAULT_TAXONOMY)
    first, second = system.answer(make_item()), system.answer(make_item())
    assert (first.reply, first.risk, first.type_scores) == (second.reply, second.risk, second.type_scores)


def test_a_policy_of_ones_own_decides_and_is_recorded(tiny_checkpoint: Path, tmp_path: Path) -> None:
    (plain,) = load_checkpoint_systems(request(tiny_checkpoint), DEFAULT_TAXONOMY)
    assert plain.policy is not None
    import json

    strict = dict(plain.policy) | {
        "thresholds": {name: dict.fromkeys(("1", "2", "3"), 0.0) for name in DEFAULT_TAXONOMY.risky_types}
    }
    file = tmp_path / "policy.json"
    file.write_text(json.dumps(strict))
    parse_policy(json.loads(file.read_text()), DEFAULT_TAXONOMY)
    (system,) = load_checkpoint_systems(request(tiny_checkpoint, policy=file), DEFAULT_TAXONOMY)
    result = system.answer(make_item())
    assert result.decision == "refused"
    assert result.reply, "the text of the refusal"
    assert system.policy is not None
    assert system.policy["thresholds"] != plain.policy["thresholds"]
    assert RunInfo.model_fields["policy"], "what run.json records"


def test_with_judge_only_there_are_no_replies(tiny_checkpoint: Path) -> None:
    (system,) = load_checkpoint_systems(request(tiny_checkpoint, judge_only=True), DEFAULT_TAXONOMY)
    result = system.answer(make_item())
    assert result.error is None
    assert result.decision is not None
    assert result.reply is None or result.decision == "refused"


def test_a_picture_without_words_is_judged_and_not_answered(tiny_checkpoint: Path, tmp_path: Path) -> None:
    guarded, bare = load_checkpoint_systems(request(tiny_checkpoint, bare=True), DEFAULT_TAXONOMY)
    item = make_item(text=None, picture=make_picture(tmp_path))
    assert guarded.answer(item).decision is not None
    assert bare.answer(item).error == "no_words"


def test_items_that_a_guard_rejects_have_its_code(tiny_checkpoint: Path, tmp_path: Path) -> None:
    guarded, bare = load_checkpoint_systems(request(tiny_checkpoint, bare=True), DEFAULT_TAXONOMY)
    broken = make_item(picture=make_picture(tmp_path, b"\x89PNG broken"))
    gone = make_item(picture=make_picture(tmp_path / "gone"))
    gone.pictures[0].path.unlink()
    for system in (guarded, bare):
        assert str(system.answer(broken).error).startswith("image_")
        assert system.answer(gone).error == "picture_unreadable"
        assert system.answer(make_item(text="x" * 200_000)).error == "prompt_too_long"


def test_contradictions_and_another_taxonomy_are_errors(tiny_checkpoint: Path) -> None:
    with pytest.raises(ConfigError, match="--bare"):
        load_checkpoint_systems(request(tiny_checkpoint, bare=True, judge_only=True), DEFAULT_TAXONOMY)
    other = Taxonomy(types=("bad", "safe"), levels=("no", "yes"))
    with pytest.raises(ConfigError, match="differ"):
        load_checkpoint_systems(request(tiny_checkpoint), other)
