"""How well novelty tells sets apart: figures, sets, and the command."""

import shutil
from pathlib import Path

import pytest

from safety_core.data.jsonl import read_jsonl, write_jsonl
from safety_core.errors import ConfigError, InputError
from safety_core.model.checkpoint.checkpoint import load_checkpoint, write_manifest
from safety_core.model.checkpoint.novelty_file import NOVELTY_FILE
from safety_core.novelty.measuring import LANGUAGES, format_report, list_languages, load_set, measure
from tests.helpers.command_line import run_command


def test_familiar_inputs_are_ranked_evenly_and_others_beyond_them(
    fitted: Path, familiar_files: tuple[Path, Path], tmp_path: Path
) -> None:
    model = load_checkpoint(fitted)
    familiar = read_jsonl(familiar_files[1], model.taxonomy).samples
    sets = {**load_set("noise", model, tmp_path), "again": list(familiar)}
    report = measure(model, familiar, sets, resamples=50)
    noise, again = report.sets
    assert (noise.kind, again.kind) == ("images", "images")
    assert noise.auroc.value is not None
    assert noise.auroc.low is not None
    assert noise.auroc.low > 0.8
    assert again.auroc.value == pytest.approx(0.5)
    assert report.familiar["images"][0.95] == pytest.approx(0.05, abs=0.01)
    assert noise.beyond[0.95] > 0.5
    table = format_report(report)
    assert f"| noise | 200 | {noise.auroc.value:.3f} " in table
    assert "familiar images, held out" in table


def test_languages_are_a_set_as_a_whole_and_each(fitted: Path, tmp_path: Path) -> None:
    texts = list_languages()
    sets = load_set(LANGUAGES, load_checkpoint(fitted), tmp_path)
    assert set(sets) == {LANGUAGES, *(f"{LANGUAGES}/{code}" for code in texts)}
    assert len(sets[LANGUAGES]) == sum(map(len, texts.values()))
    assert all(len(set(of_language)) == len(of_language) >= 20 for of_language in texts.values())
    assert "en" not in texts


def test_unknown_sets_and_unfitted_checkpoints_are_errors(
    fitted: Path, reading_checkpoint: Path, familiar_files: tuple[Path, Path], tmp_path: Path
) -> None:
    model = load_checkpoint(fitted)
    with pytest.raises(InputError, match="languages, noise, drawings, screenshots or NAME=FILE"):
        load_set("dreams", model, tmp_path)
    familiar = read_jsonl(familiar_files[1], model.taxonomy).samples
    with pytest.raises(ConfigError, match="fit it first"):
        measure(load_checkpoint(reading_checkpoint), familiar, {"a": familiar})
    with pytest.raises(ConfigError, match="none has no texts"):
        measure(model, familiar, {"none": []})


def test_the_commands_fit_and_measure(fitted: Path, familiar_files: tuple[Path, Path], tmp_path: Path) -> None:
    known, held_out = familiar_files
    checkpoint = Path(shutil.copytree(fitted, tmp_path / "copied"))
    (checkpoint / NOVELTY_FILE).unlink()
    write_manifest(checkpoint)
    run_command("novelty", "fit", "--checkpoint", checkpoint, "--familiar", known, "--held-out", held_out, "--quiet")
    own = tmp_path / "own.jsonl"
    row = {"image": [], "conversations": [{"from": "USER", "value": "}}{{ 7%7%"}], "safe_type": 0, "safe_level": 0}
    write_jsonl(own, [{"id": "a", **row}])
    output = run_command(
        "novelty", "measure", "--checkpoint", checkpoint, "--familiar", held_out, "--novel", f"own={own}", "--quiet"
    )
    assert "| own | 1 | " in output
    assert "familiar texts, held out" in output
    failed = run_command(
        "novelty", "measure", "--checkpoint", checkpoint, "--familiar", held_out, "--novel", "dreams", code=1
    )
    assert "one of languages" in failed
