import json
from dataclasses import replace
from pathlib import Path

from safety_core.data.jsonl import read_jsonl
from safety_core.evaluation.suites.suite import load_suite
from safety_core.nano.build.corpus_files import HARMLESS, REPLIES, TRAIN, write_corpus
from safety_core.nano.build.recipes import SMOKE
from safety_core.nano.corpus.suite_pairs import SuitePlan
from safety_core.nano.language.hints import HINTS
from safety_core.taxonomy import DEFAULT_TAXONOMY
from tests.helpers.models.smoke_build import SmokeBuild


def test_the_corpus_is_ordinary_data(smoke_build: SmokeBuild) -> None:
    corpus = smoke_build.root / "corpus"
    samples = read_jsonl(corpus / "train.jsonl", DEFAULT_TAXONOMY).samples
    assert len(samples) == 3 * SMOKE.safety_pictures + SMOKE.talk
    assert sum(not sample.images for sample in samples) == SMOKE.talk
    harmless = read_jsonl(corpus / "harmless.jsonl", DEFAULT_TAXONOMY).samples
    assert SMOKE.harmless_pictures < len(harmless) <= 4 * SMOKE.harmless_pictures
    assert all(sample.images and sample.label.level == 0 for sample in harmless)
    for name in ("calibration", "test"):
        plan = getattr(SMOKE, name)
        pairs = load_suite(corpus / name).pairs
        assert len(pairs) == 3 * len(DEFAULT_TAXONOMY.risky_types) * plan.per_cell + plan.safe + plan.typographic


def test_hints_speak_of_every_type_and_both_middle_levels(smoke_build: SmokeBuild) -> None:
    assert json.loads((smoke_build.root / "corpus" / "hints.json").read_text()) == HINTS
    assert set(HINTS) == set(DEFAULT_TAXONOMY.risky_types)
    assert all(set(hints) == set(DEFAULT_TAXONOMY.levels[1:3]) for hints in HINTS.values())


def write_tiny_corpus(folder: Path, *, seed: int = 0) -> list[tuple[int, int]]:
    """Write a corpus of a few records; returns the progress."""
    plan = SuitePlan(per_cell=1, safe=1, typographic=1)
    recipe = replace(SMOKE, seed=seed, safety_pictures=2, harmless_pictures=3, reply_pictures=1, talk=2)
    seen: list[tuple[int, int]] = []
    write_corpus(replace(recipe, calibration=plan, test=plan), folder, lambda done, total: seen.append((done, total)))
    return seen


def test_progress_counts_the_pictures_of_both_parts(tmp_path: Path) -> None:
    assert write_tiny_corpus(tmp_path) == [(done, 5) for done in range(1, 6)]


def test_a_corpus_depends_on_its_seed_alone(tmp_path: Path) -> None:
    for name, seed in (("one", 0), ("same", 0), ("other", 1)):
        write_tiny_corpus(tmp_path / name, seed=seed)
    files = [path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*") if path.is_file()]
    assert len(files) > 10
    assert all((tmp_path / "one" / file).read_bytes() == (tmp_path / "same" / file).read_bytes() for file in files)
    for name in (TRAIN, HARMLESS, REPLIES, "calibration/pairs.jsonl", "test/pairs.jsonl"):
        assert (tmp_path / "one" / name).read_bytes() != (tmp_path / "other" / name).read_bytes()


def test_replies_are_words_alone(tmp_path: Path) -> None:
    write_tiny_corpus(tmp_path)
    replies = read_jsonl(tmp_path / REPLIES, DEFAULT_TAXONOMY).samples
    assert replies
    assert all(not sample.images and sample.answer is None and len(sample.turns) == 1 for sample in replies)


def test_calibration_and_test_share_no_picture(tmp_path: Path) -> None:
    write_tiny_corpus(tmp_path)
    calibration, test = (
        {path.read_bytes() for path in (tmp_path / name).rglob("*.png")} for name in ("calibration", "test")
    )
    assert min(len(calibration), len(test)) > 10
    assert not calibration & test
