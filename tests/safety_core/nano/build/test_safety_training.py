import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from safety_core.engine.load import load_guard
from safety_core.evaluation.runs.systems import list_standard_systems
from safety_core.evaluation.suites.suite import load_suite
from safety_core.model.checkpoint.adapter import get_adapter
from safety_core.model.checkpoint.checkpoint import load_checkpoint, verify
from safety_core.model.safe_llava import SafeLlava
from safety_core.nano.build.corpus_files import HARMLESS, REPLIES, TRAIN
from safety_core.nano.build.examples import CANARY, EXAMPLES
from safety_core.nano.build.model_card import format_model_card
from safety_core.nano.build.recipes import SMOKE
from safety_core.nano.build.safety_training import ABLATIONS, REPORT, SHIPPED, SafetyTraining
from tests.helpers.models.smoke_build import SmokeBuild


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


def test_the_reference_differs_in_its_head_alone(smoke_build: SmokeBuild) -> None:
    designed, reference = (verify(smoke_build.root / name).spec.config for name in ("replies", "first_token"))
    assert reference.head.pooling == "first_token"
    assert designed.head.pooling == "attention"
    assert designed.num_safety_tokens == reference.num_safety_tokens
    assert designed.projector == reference.projector


@pytest.mark.parametrize("step", ["train_stage1", "train_stage2", "train_on_replies", "train_reference"])
def test_a_training_whose_checkpoint_is_there_is_not_repeated(smoke_build: SmokeBuild, step: str) -> None:
    before = {path: path.stat().st_mtime_ns for path in smoke_build.root.rglob("*")}
    getattr(SafetyTraining(recipe=SMOKE, root=smoke_build.root, show=False), step)()
    assert {path: path.stat().st_mtime_ns for path in smoke_build.root.rglob("*")} == before


def test_a_training_starts_from_the_checkpoint_before_it(smoke_build: SmokeBuild) -> None:
    def get_provenance(name: str) -> Any:
        return verify(smoke_build.root / name).spec.provenance

    def list_parts(provenance: Any) -> list[str]:
        if "train_parts" not in provenance:
            return []
        return [provenance["train_parts"], *list_parts(provenance["from"])]

    lines = {name: list_parts(get_provenance(name)) for name in ("stage1", "stage2", "replies")}
    assert lines == {
        "stage1": ["lm", "head"],
        "stage2": ["all", "lm", "head"],
        "replies": ["head", "all", "lm", "head"],
    }
    data = {name: [file["name"] for file in get_provenance(name)["data"]] for name in ("stage1", "stage2", "replies")}
    assert data == {"stage1": [TRAIN], "stage2": [TRAIN, HARMLESS], "replies": [TRAIN, REPLIES]}
