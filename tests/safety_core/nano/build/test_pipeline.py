import json
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from safety_core.cli.evaluate import BARS_NOT_CLEARED
from safety_core.cli.main import app
from safety_core.data.jsonl import read_jsonl
from safety_core.engine.load import load_guard
from safety_core.errors import ConfigError
from safety_core.evaluation.runs.systems import list_standard_systems
from safety_core.evaluation.suites.suite import load_suite
from safety_core.inputs.conversation import Turn
from safety_core.model.checkpoint.adapter import get_adapter
from safety_core.model.checkpoint.checkpoint import load_checkpoint, verify
from safety_core.model.safe_llava import SafeLlava
from safety_core.nano.build.backbone import BackboneTraining, load_tokenizer
from safety_core.nano.build.examples import CANARY, EXAMPLES
from safety_core.nano.build.model_card import format_model_card
from safety_core.nano.build.pipeline import NEEDS, Build
from safety_core.nano.build.recipes import RECIPES, SMALL, SMOKE
from safety_core.nano.build.safety_training import ABLATIONS, REPORT, SHIPPED, SafetyTraining
from safety_core.nano.build.suite import hash_world_files
from safety_core.nano.corpus.backbone_pairs import sample_training_scene
from safety_core.nano.language.descriptions import get_plural
from safety_core.nano.language.hints import HINTS
from safety_core.nano.pretrain.language.patch_names import create_patch_namer
from safety_core.nano.pretrain.vision.tower import convert_to_pixels
from safety_core.nano.world.drawing import draw
from safety_core.nano.world.patch_labels import THING_CLASSES, WORD_CLASSES
from safety_core.nano.world.scene import GRID
from safety_core.nano.world.vocabulary import VOCABULARY
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


def test_every_name_of_the_shipped_size_is_one_token(tmp_path: Path) -> None:
    BackboneTraining(recipe=RECIPES["shipped"], root=tmp_path, show=False).train_tokenizer()
    tokenizer = load_tokenizer(tmp_path)
    names = (*VOCABULARY, *THING_CLASSES[1:], *(get_plural(name) for name in THING_CLASSES[1:]))
    assert [name for name in names if len(tokenizer.tokenize(f" {name}")) > 1 and not name.isdigit()] == []


def test_patches_are_named_by_what_they_show(smoke_build: SmokeBuild) -> None:
    tokenizer = load_tokenizer(smoke_build.root)
    named = Counter[str]()
    name_patches = create_patch_namer(tokenizer)
    for example in EXAMPLES:
        shown = name_patches(example.scene)
        assert len(shown) == GRID**2
        named.update(str(tokenizer.decode([one])) for one in shown if one != -100)
    assert set(named) <= {f" {name}" for name in (*THING_CLASSES, *WORD_CLASSES)} | set("0123456789")
    assert named.total() >= 9


def test_digits_are_named_too(smoke_build: SmokeBuild) -> None:
    tokenizer = load_tokenizer(smoke_build.root)
    scene = next(example.scene for example in EXAMPLES if example.file == "identity-card.png")
    named = {str(tokenizer.decode([one])) for one in create_patch_namer(tokenizer)(scene) if one != -100}
    assert {name for name in named if name.isdigit()} <= set("4821907")
    assert any(name.isdigit() for name in named)


def test_features_are_those_of_the_training_pictures(smoke_build: SmokeBuild) -> None:
    table = np.load(smoke_build.root / "features" / "features.npy")
    assert table.shape == (SMOKE.pictures + SMOKE.language.polish_pictures, GRID**2, SMOKE.vision.hidden)
    model = load_checkpoint(smoke_build.root / "stage1", merge=False)
    pixels = convert_to_pixels([draw(sample_training_scene(SMOKE.seed, "train", 0).scene)])
    with torch.inference_mode():
        served = model.encode_images(pixels).layers[-1][0].float().numpy()
    # 16-bit weights make the difference.
    assert np.abs(served - table[0].astype(np.float32)).max() < 0.05


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


def test_what_ships_is_sound_small_and_whole(smoke_build: SmokeBuild) -> None:
    folder = smoke_build.root / SHIPPED
    report = verify(folder)
    assert report.spec.trained
    assert report.ships_backbone
    assert report.has_adapter, "without its adapter the backbone is the table's bare row"
    assert report.size < 32 * 2**20
    assert all(path.stat().st_size <= 15e6 for path in folder.rglob("*.safetensors"))
    assert not [path for path in folder.rglob("*") if path.suffix in (".bin", ".pt", ".pkl")]
    assert report.spec.provenance["command"] == "safevlm nano build --smoke"
    recipe = report.spec.provenance["recipe"]
    assert isinstance(recipe, dict)
    assert recipe["name"] == "smoke"


def test_what_ships_brings_a_canary_that_its_own_guard_passes(smoke_build: SmokeBuild) -> None:
    folder = smoke_build.root / SHIPPED
    canary = verify(folder).spec.provenance["canary"]
    assert isinstance(canary, dict)
    assert (canary["image"], canary["prompt"]) == ("canary.png", CANARY.prompt)
    assert load_guard(folder, device="cpu").check_canary() is None
    assert (folder / "canary.png").read_bytes() == (smoke_build.root / "examples" / CANARY.file).read_bytes()
    assert {path.name for path in (smoke_build.root / "examples").iterdir()} == {example.file for example in EXAMPLES}


def test_the_other_rows_ship_beside_it(smoke_build: SmokeBuild, tmp_path: Path) -> None:
    shutil.copytree(smoke_build.root / SHIPPED, tmp_path / SHIPPED)
    for row in ABLATIONS:
        name = f"{SHIPPED}-{row.replace('_', '-')}"
        report = verify(smoke_build.root / name)
        assert not report.ships_backbone
        assert report.spec.backbone.path == f"../{SHIPPED}/backbone"
        assert report.size < 8 * 2**20
        # They go wherever the shipped one goes.
        shutil.copytree(smoke_build.root / name, tmp_path / name)
        verify(tmp_path / name)
    load_checkpoint(tmp_path / f"{SHIPPED}-stage1")


def test_nothing_that_ships_tells_where_it_was_built(smoke_build: SmokeBuild) -> None:
    for path in smoke_build.root.glob(f"{SHIPPED}*/**/*"):
        if path.is_file():
            assert str(smoke_build.root.parent).encode() not in path.read_bytes(), path


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


def test_the_report_has_every_row(smoke_build: SmokeBuild) -> None:
    rows = [row.name for row in list_standard_systems(Path("a"), stage1=Path("b"), first_token=Path("c"))]
    assert rows == ["bare", "head_only", "tokens_only", "stage1", "shipped", "first_token"]
    report = json.loads((smoke_build.root / "report" / "report.json").read_text())
    assert list(report["rows"]) == rows
    assert report["command"] == ["safevlm", "nano", "build", "--smoke"]
    assert not report["bars"], "only the shipped size is held against bars"
    assert all(f"| {row} |" in smoke_build.output for row in rows)
    assert str(smoke_build.root / SHIPPED) in smoke_build.output


def test_the_card_is_written_from_the_reports(smoke_build: SmokeBuild) -> None:
    table = (smoke_build.root / "report" / "report.md").read_text()
    curve = json.loads((smoke_build.root / "report" / "reading.json").read_text())
    assert [point["px"] for point in curve] == list(SMOKE.curve_sizes)
    assert all(point["n"] == SMOKE.curve_pairs for point in curve)
    tally = json.loads((smoke_build.root / "report" / "calibration.json").read_text())["replies"]
    assert (smoke_build.root / SHIPPED / "MODEL_CARD.md").read_text() == format_model_card(table, curve, tally, SMOKE)


def test_what_the_thresholds_do_on_their_split_is_on_record(smoke_build: SmokeBuild) -> None:
    tallies = json.loads((smoke_build.root / "report" / "calibration.json").read_text())
    assert verify(smoke_build.root / SHIPPED).spec.provenance["calibration"] == tallies["replies"]
    assert set(tallies) == {"stage1", "replies", "first_token"}
    pairs = load_suite(smoke_build.root / "corpus" / "calibration").pairs
    assert all(tally["pairs"] == len(pairs) for tally in tallies.values())
    assert all(tally["false_refusals"] <= tally["answerable"] for tally in tallies.values())


def test_the_curve_is_the_bare_backbones(
    smoke_build: SmokeBuild, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    measured: list[SafeLlava] = []

    def curve(model: SafeLlava, **_options: object) -> list[object]:
        measured.append(model)
        return []

    monkeypatch.setattr("safety_core.nano.build.safety_training.evaluate", lambda *_args, **_options: None)
    monkeypatch.setattr("safety_core.nano.build.safety_training.measure_reading_curve", curve)
    root = tmp_path / "copy"
    for step in ("stage1", "stage2", "replies", "first_token", "backbone"):
        shutil.copytree(smoke_build.root / step, root / step)
    (root / REPORT).mkdir()
    SafetyTraining(recipe=SMOKE, root=root, show=False).evaluate()
    assert get_adapter(load_checkpoint(root / "replies", merge=False).backbone) is not None
    assert [get_adapter(model.backbone) for model in measured] == [None]


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


def test_the_reference_differs_in_its_head_alone(smoke_build: SmokeBuild) -> None:
    designed, reference = (verify(smoke_build.root / name).spec.config for name in ("replies", "first_token"))
    assert reference.head.pooling == "first_token"
    assert designed.head.pooling == "attention"
    assert designed.num_safety_tokens == reference.num_safety_tokens
    assert designed.projector == reference.projector


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
