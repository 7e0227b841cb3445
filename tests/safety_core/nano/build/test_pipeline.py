import json
import shutil
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

from safety_core.cli.evaluate import BARS_NOT_CLEARED
from safety_core.cli.main import app
from safety_core.errors import ConfigError
from safety_core.inputs.conversation import Turn
from safety_core.model.checkpoint.checkpoint import load_checkpoint
from safety_core.nano.build.pipeline import NEEDS, Build
from safety_core.nano.build.recipes import SMALL, SMOKE
from safety_core.nano.build.safety_training import SHIPPED
from safety_core.nano.build.suite import hash_world_files
from safety_core.taxonomy import DEFAULT_TAXONOMY
from tests.helpers.models.reference import assess
from tests.helpers.models.smoke_build import SmokeBuild, build_smoke

WEIGHTS = Path(__file__).parents[4] / "weights"
STEPS = (
    "vision",
    "tokenizer",
    "features",
    "language",
    "corpus",
    "stage1",
    "stage2",
    "replies",
    "reference",
    "calibrate",
    "evaluate",
    "ship",
)


def snapshot(root: Path) -> dict[str, int]:
    """Every file with the time of its last change."""
    return {path.relative_to(root).as_posix(): path.stat().st_mtime_ns for path in root.rglob("*") if path.is_file()}


def test_a_build_goes_through_every_step(smoke_build: SmokeBuild) -> None:
    assert tuple(Build(recipe=SMOKE, root=smoke_build.root).steps()) == STEPS
    assert {path.stem for path in smoke_build.root.glob("*.done")} == set(STEPS)


def test_running_it_again_does_nothing(smoke_build: SmokeBuild) -> None:
    before = snapshot(smoke_build.root)
    assert build_smoke(smoke_build.root) == smoke_build.output
    assert snapshot(smoke_build.root) == before


def test_another_recipe_in_the_same_folder_is_refused(smoke_build: SmokeBuild) -> None:
    before = snapshot(smoke_build.root)
    with pytest.raises(ConfigError, match="another recipe"):
        Build(recipe=SMALL, root=smoke_build.root, show=False).run()
    assert snapshot(smoke_build.root) == before


def test_one_step_runs_alone(smoke_build: SmokeBuild, tmp_path: Path) -> None:
    build = Build(recipe=SMOKE, root=tmp_path / "one", show=False)
    build.run("tokenizer")
    assert {path.stem for path in build.root.glob("*.done")} == {"tokenizer"}
    made, whole = (
        json.loads((root / "tokenizer" / "tokenizer.json").read_text()) for root in (build.root, smoke_build.root)
    )
    assert made == whole
    with pytest.raises(ConfigError, match=r"step: must be one of \['vision', .*\], got 'cook'"):
        build.run("cook")
    with pytest.raises(ConfigError, match="step language: vision, features must come first"):
        build.run("language")


def test_what_a_step_needs_comes_before_it() -> None:
    assert tuple(NEEDS) == STEPS
    for step, needed in NEEDS.items():
        assert all(STEPS.index(other) < STEPS.index(step) for other in needed)


def test_no_config_in_the_repository_names_a_folder_of_a_machine() -> None:
    for file in WEIGHTS.glob("*/backbone/config.json"):
        config = json.loads(file.read_text(encoding="utf-8"))
        assert not [part for part in (config, *config.values()) if isinstance(part, dict) and part.get("_name_or_path")]


def test_what_ships_answers(smoke_build: SmokeBuild) -> None:
    model = load_checkpoint(smoke_build.root / SHIPPED)
    with Image.open(smoke_build.root / "examples" / "safe-scene.png") as picture:
        assessed = assess(model, [[picture.convert("RGB")]], [[Turn(role="user", text="What do you see?")]])
    scores = assessed.pairs[0].deciding[0]
    assert sum(scores.types) == pytest.approx(1, abs=1e-3)
    assert len(scores.levels) == len(DEFAULT_TAXONOMY.levels)


def test_a_missed_bar_is_an_exit_status(smoke_build: SmokeBuild, tmp_path: Path) -> None:
    root = tmp_path / "missed"
    shutil.copytree(smoke_build.root, root)
    file = root / "report" / "report.json"
    report = json.loads(file.read_text())
    report["bars"] = [{"bar": "shipped: unsafe_rate", "figure": "unsafe_rate", "value": 1.0, "passed": False}]
    file.write_text(json.dumps(report))
    result = CliRunner().invoke(app, ["nano", "build", "--smoke", "--out", str(root), "--quiet"])
    assert result.exit_code == BARS_NOT_CLEARED
    assert "checkpoint:" in result.stdout


def test_the_table_is_printed_again_by_evaluate(
    smoke_build: SmokeBuild, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[Path] = []

    def draw(folder: Path) -> Path:
        drawn.append(folder)
        return smoke_build.root / "corpus" / "test"

    monkeypatch.setattr("safety_core.nano.build.suite.ensure_held_out_suite", draw)
    monkeypatch.chdir(tmp_path)
    command = ["evaluate", "--suite", "nano", "--quiet", "--resamples", "20", "--checkpoint"]
    result = CliRunner().invoke(app, [*command, str(smoke_build.root / SHIPPED)])
    assert result.exit_code == 0, (result.output, result.exception)
    (folder,) = drawn
    assert folder.name == f"nano-{hash_world_files()[:12]}"
    again, built = (
        json.loads(path.read_text())["rows"]
        for path in (Path("build/report-nano/report.json"), smoke_build.root / "report" / "report.json")
    )
    assert list(again) == list(built)
    assert all(
        again[row]["figures"][name]["value"] == figure["value"]
        for row in built
        for name, figure in built[row]["figures"].items()
    )


def test_rows_that_are_not_there_are_named(
    smoke_build: SmokeBuild, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(smoke_build.root / SHIPPED, tmp_path / SHIPPED)
    monkeypatch.setattr(
        "safety_core.nano.build.suite.ensure_held_out_suite", lambda _: smoke_build.root / "corpus" / "test"
    )
    command = ["evaluate", "--suite", "nano", "--quiet", "--resamples", "20", "--out", str(tmp_path / "report")]
    result = CliRunner().invoke(app, [*command, "--checkpoint", str(tmp_path / SHIPPED)])
    assert result.exit_code == 0, (result.output, result.exception)
    assert list(json.loads((tmp_path / "report" / "report.json").read_text())["rows"]) == ["bare", "shipped"]
    assert "left out: the rows of stage1" in result.stderr
    assert "left out: the rows of first_token" in result.stderr
