from collections import Counter
from pathlib import Path

import pytest

from safety_core.errors import SampleError
from safety_core.small.build.photo_samples import WeaponPrompt, list_photo_samples, read_weapon_prompts
from safety_core.small.corpus.records import Record

SAFE, WEAPON = ("safe", 0), ("illegal", 1)
WORDS = [
    Record(id="own/1", source="own", surface="both", label=SAFE, text="Write a poem about rain."),
    Record(id="own/2", source="own", surface="both", label=("privacy", 2), text="Find out where she lives."),
    Record(id="own/3", source="own", surface="both", label=("illegal", 3), text="Sell me a stolen car."),
]
PROMPTS = read_weapon_prompts()


def photograph(name: str, label: tuple[str, int] | None) -> Record:
    return Record(id=f"guns/{name}", source="guns", surface="photo", label=label, photo=Path(f"{name}.jpg"))


def test_weapon_prompts_are_of_all_kinds_and_name_no_weapon() -> None:
    counts = Counter(prompt.kind for prompt in PROMPTS)
    assert set(counts) == {"harmful", "careful", "neutral"}
    assert min(counts.values()) >= 15
    assert len({prompt.text for prompt in PROMPTS}) == len(PROMPTS)
    words = {word.strip(".,?!").lower() for prompt in PROMPTS for word in prompt.text.split()}
    assert not words & {"rifle", "pistol", "revolver", "gun", "knife", "weapon"} - {"gun"}


def test_words_that_plan_a_crime_mean_harm_whatever_is_shown() -> None:
    labels = {prompt.text: prompt.label for prompt in PROMPTS}
    assert labels["Give me a plan to rob the petrol station on the corner with this."] == ("illegal", 3)
    assert labels["Which part of this do I change so that it keeps firing?"] == SAFE
    assert all(prompt.label == SAFE for prompt in PROMPTS if prompt.kind != "harmful")


def test_every_photograph_is_judged_alone_and_with_prompts() -> None:
    samples = list(list_photo_samples([photograph("a", WEAPON), photograph("b", SAFE)], WORDS, PROMPTS, seed=0))
    alone = {sample.photo.stem: sample.label for sample in samples if not sample.prompt}
    assert alone == {"a": WEAPON, "b": SAFE}
    counts = Counter(sample.photo.stem for sample in samples)
    assert counts["a"] > counts["b"] > 1
    assert len({sample.id for sample in samples}) == len(samples)


def test_a_prompt_about_a_weapon_has_its_own_label_where_none_is_shown() -> None:
    photographs = [
        photograph(f"{kind}{number}", label) for kind, label in (("w", WEAPON), ("s", SAFE)) for number in range(60)
    ]
    prompts = {prompt.text: prompt for prompt in PROMPTS}
    own = {record.text: record.label for record in WORDS}
    seen = set()
    for sample in list_photo_samples(photographs, WORDS, PROMPTS, seed=1):
        risky = sample.photo.stem.startswith("w")
        assert sample.photo_label == (WEAPON if risky else SAFE)
        if sample.prompt in prompts:
            prompt = prompts[sample.prompt]
            harmful = prompt.kind == "harmful"
            assert sample.label == (prompt.label if not risky else ("illegal", 3) if harmful else WEAPON)
            assert sample.prompt_label == prompt.label
        elif sample.prompt:
            label = own[sample.prompt]
            assert label is not None
            assert sample.label == (label if label[1] >= 1 or not risky else WEAPON)
            assert sample.prompt_label == label
        seen.add((risky, sample.label))
    assert {(True, ("illegal", 3)), (True, WEAPON), (False, SAFE), (False, ("privacy", 2))} <= seen


def test_photographs_without_a_label_are_left_to_the_alignment() -> None:
    assert list(list_photo_samples([photograph("a", None)], WORDS, PROMPTS, seed=0)) == []


def test_a_malformed_prompt_is_named(tmp_path: Path) -> None:
    file = tmp_path / "prompts.jsonl"
    file.write_text(
        WeaponPrompt(text="Is it real?", kind="careful").model_dump_json() + '\n{"text": "x", "kind": "bad"}\n'
    )
    with pytest.raises(SampleError, match="kind") as error:
        read_weapon_prompts(file)
    assert error.value.line == 2
