import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from safety_core.engine.load import load_guard
from safety_core.errors import ConfigError, InputError
from safety_core.lettering.bounded_reader import BoundedReader
from safety_core.lettering.reading import ReadingLimits
from safety_core.model.checkpoint.checkpoint import BACKBONE_DIR, CARD_FILE, POLICY_FILE, load_checkpoint, verify
from safety_core.policy.documents import load_policy
from safety_core.policy.policy import Action
from safety_core.small.alignment.projector.recipe import Recipe as AlignmentRecipe
from safety_core.small.build import pipeline
from safety_core.small.build.pipeline import NAME, Build
from safety_core.small.build.recipe import Recipe
from safety_core.small.build.training_files import Amounts
from safety_core.small.parts.llava_projector import PROJECTOR_FILE
from tests.helpers.build_folder import write_build_data
from tests.helpers.engine.readers import FakeReader
from tests.helpers.models.small_parts import RecordedProgress, write_parts

STEPS = ["parts", "files", "words", "pictures", "align", "samples", "replies", "calibrate", "ship"]

MakeBuild = Callable[..., Build]


def create_recipe() -> Recipe:
    """Few samples and two optimizer steps of everything, for the tiny backbone."""
    steps: dict[str, Any] = {"batch_size": 4, "grad_accum": 1, "max_steps": 2, "lr": 1e-2}
    few = Amounts(read=1, rendered=1, documents=1, read_documents=1)
    return Recipe(
        safety={
            "prompt_layers": 1,
            "num_safety_tokens": 2,
            "vision_layers": [0, 1, 2],
            "projector": {"hidden": 8, "grid": 9, "depth": 1, "mixing": "concatenate"},
            "head": {"num_heads": 4, "context_layers": 1, "context_width": 16, "fusion_width": 32, "dropout": 0.0},
        },
        amounts=few,
        measured=few,
        alignment=AlignmentRecipe(steps=2, batch_size=4, eval_steps=2),
        descriptions=8,
        safe_replies=2,
        own_replies=1,
        words={**steps, "train_parts": "head", "prompt_lora_r": 2},
        replayed=4,
        pictures={**steps, "train_parts": "head"},
        replies={**steps, "lora_r": 2},
    )


@pytest.fixture(scope="module")
def make_build(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MakeBuild]:
    """Creates builds of tiny parts; arguments change their fields."""
    pytest.importorskip("gguf", reason="gguf is not installed: pip install 'safevlm-guard[small]'")
    folder = tmp_path_factory.mktemp("build")
    parts = write_parts(folder / "wheels")
    limits = ReadingLimits(picture_s=240, request_s=240)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)  # near-duplicates are kept below it
        patch.setattr(
            "safety_core.evaluation.calibration.calibrate.create_sample_reader",
            lambda _: BoundedReader(FakeReader(("MIND THE GAP",)), limits, concurrent=1, kept=100),
        )
        data = write_build_data(folder, patch)

        def make(root: Path, **fields: Any) -> Build:
            defaults: dict[str, Any] = {
                "data": data,
                "root": root,
                "recipe": create_recipe(),
                "progress": RecordedProgress(),
                "wheels": folder / "wheels",
                "parts": parts,
                "show": False,
            }
            return Build(**{**defaults, **fields})

        yield make


@pytest.fixture(scope="module")
def built(make_build: MakeBuild, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a complete build; tests leave it as it is."""
    root = tmp_path_factory.mktemp("built") / "root"
    make_build(root).run()
    return root


@pytest.fixture
def copied(built: Path, tmp_path: Path) -> Path:
    """A copy of the complete build, to change."""
    return Path(shutil.copytree(built, tmp_path / "copied"))


def list_marked(root: Path) -> list[str]:
    return [step for step in STEPS if (root / f"{step}.done").exists()]


def list_times(root: Path) -> dict[Path, int]:
    """Times at which files were written, by their path in the folder."""
    return {path.relative_to(root): path.stat().st_mtime_ns for path in root.rglob("*") if path.is_file()}


def read_rows(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def list_trained(root: Path, name: str) -> dict[str, str]:
    """Source of each record that a training read, by its id."""
    files = json.loads((root / f"{name}.run" / "train-run.json").read_text())["data"]
    return {row["id"]: row.get("source", "") for file in files for row in read_rows(Path(file))}


# --- a complete build -----------------------------------------------------------------------------------------------


def test_every_step_leaves_what_the_next_one_needs(built: Path) -> None:
    assert list_marked(built) == STEPS
    steps = [json.loads((built / f"{name}.run" / "train-run.json").read_text()) for name in ("words", "pictures")]
    assert [Path(step["backbone"]).name for step in steps] == ["untrained", "pictures-start"]
    assert {Path(file).name for file in steps[1]["data"]} == {
        "words-replayed.jsonl",
        "documents.jsonl",
        "pictures.jsonl",
    }
    assert len(read_rows(built / "train" / "words-replayed.jsonl")) == 4
    assert any(name.startswith("guns/1+pasted") for name in list_trained(built, "pictures"))
    assert {row["id"].partition("/")[0] for row in read_rows(built / "samples" / "replies.jsonl")} >= {"reply"}
    counts = json.loads((built / "calibration.json").read_text())
    written = json.loads((built / "files.json").read_text())["calibration"]
    assert counts["pairs"] == written["words"] + written["pictures"], "what documents say is calibrated as pictures"


def test_the_checkpoint_stands_alone(built: Path, tmp_path: Path) -> None:
    """It verifies, loads and holds everything that was trained, also without the folder that it was built in."""
    shipped = Path(shutil.copytree(built / NAME, tmp_path / "elsewhere"))
    report = verify(shipped)
    assert (report.ships_backbone, report.has_adapter, report.has_prompt_adapter) == (True, True, True)
    provenance = report.spec.provenance
    assert (provenance["trained"], provenance["permissive"], provenance["without"]) == (True, False, [])
    assert report.spec.reader == "rapidocr"
    assert load_guard(shipped, device="cpu", read_pictures="false").check_canary() is None
    card = (shipped / CARD_FILE).read_text(encoding="utf-8")
    assert "photographs under research-only or unstated terms took part" in " ".join(card.lower().split())
    model = load_checkpoint(shipped)
    first = model.backbone.model.multi_modal_projector.linear_1.weight.half()
    trained = load_file(built / "alignment" / "projector.safetensors")
    assert torch.equal(first, trained["multi_modal_projector.linear_1.weight"])


def test_levels_from_2_are_refused(built: Path) -> None:
    policy = load_policy(built / NAME / POLICY_FILE, verify(built / NAME).spec.taxonomy)
    assert {levels[2] for levels in policy.actions.values()} == {Action.REFUSE}
    assert {levels[1] for levels in policy.actions.values()} == {Action.CAUTION}


# --- continuing -----------------------------------------------------------------------------------------------------


def test_a_complete_build_is_left_alone(built: Path, make_build: MakeBuild) -> None:
    before = list_times(built)
    make_build(built).run()
    assert list_times(built) == before


def test_a_killed_build_does_only_what_is_missing(copied: Path, make_build: MakeBuild) -> None:
    (copied / "calibrate.done").unlink()
    shutil.rmtree(copied / "calibrated")
    before = list_times(copied)
    expected = (copied / NAME / POLICY_FILE).read_text()
    make_build(copied).run()
    assert list_marked(copied) == STEPS
    assert (copied / "calibrated" / POLICY_FILE).read_text() == expected
    after = list_times(copied)
    changed = {path.parts[0] for path in after if after[path] != before.get(path)}
    assert changed == {"calibrated", "calibrate.done", "calibration", "calibration.json"}


def test_one_step_or_the_first_ones_can_be_run(make_build: MakeBuild, tmp_path: Path) -> None:
    build = make_build(tmp_path / "out")
    build.run(only="parts")
    assert list_marked(tmp_path / "out") == ["parts"]
    build.run(until="words")
    assert list_marked(tmp_path / "out") == STEPS[:3]


def test_a_folder_holds_one_build(built: Path, make_build: MakeBuild) -> None:
    before = list_times(built)
    for fields in ({"recipe": replace(create_recipe(), seed=1)}, {"permissive": True}, {"without": ("guns",)}):
        with pytest.raises(ConfigError, match="holds another build"):
            make_build(built, **fields).run()
    assert list_times(built) == before


def test_unknown_names_claim_no_folder(make_build: MakeBuild, tmp_path: Path) -> None:
    root = tmp_path / "out"
    with pytest.raises(ConfigError, match="step: must be one of"):
        make_build(root).run(only="cook")
    with pytest.raises(ConfigError, match="step: must be one of"):
        make_build(root).run(until="cook")
    with pytest.raises(ConfigError, match="without: must be one of"):
        make_build(root, without=("gun",)).run()
    with pytest.raises(ConfigError, match="without weights to continue"):
        make_build(root, recipe=replace(create_recipe(), fresh=("own/areas",))).run()
    assert not root.exists()


def test_a_folder_without_sets_is_an_error(make_build: MakeBuild, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no set"):
        make_build(tmp_path / "out", data=tmp_path / "nowhere").run(only="files")
    assert list_marked(tmp_path / "out") == []


# --- other builds that start from one -------------------------------------------------------------------------------


def test_a_set_of_photographs_can_be_left_out(built: Path, make_build: MakeBuild, tmp_path: Path) -> None:
    """Pasted photographs of the set are left out as well, and the thresholds are chosen without it."""
    root, before = tmp_path / "held-out", list_times(built / "model")
    build = make_build(root, start=built, without=("guns",))
    with pytest.raises(ConfigError, match="step: must be one of"):
        build.run(only="words")
    build.run()
    trained, all_trained = list_trained(root, "pictures"), list_trained(built, "pictures")
    assert {"guns", "guns+flickr8k"} < set(all_trained.values())
    assert trained == {name: source for name, source in all_trained.items() if "guns" not in source}
    counts, all_counts = (json.loads((one / "calibration.json").read_text()) for one in (root, built))
    photographs = [row for row in read_rows(built / "calibration" / "pictures.jsonl") if "guns" in row["source"]]
    assert counts["pairs"] == all_counts["pairs"] - len(photographs) < all_counts["pairs"]
    assert verify(root / NAME).spec.provenance["without"] == ["guns"]
    assert (root / NAME / PROJECTOR_FILE).read_bytes() == (built / NAME / PROJECTOR_FILE).read_bytes()
    assert list_times(built / "model") == before, "the backbone of the other build is used as it is"


def test_the_trainings_of_a_checkpoint_are_continued(built: Path, make_build: MakeBuild, tmp_path: Path) -> None:
    """Its modules, both adapters and LLaVA's projector are the start; the projector is not trained again."""
    root, start = tmp_path / "continued", built / NAME
    make_build(root, weights=start).run()
    run = json.loads((root / "words.run" / "train-run.json").read_text())
    assert Path(run["backbone"]) == start
    assert [Path(file).name for file in run["data"]] == ["words-continued.jsonl"]
    read, known = (len(read_rows(root / "train" / f"{name}.jsonl")) for name in ("words-continued", "words"))
    assert 0 < read < known, "of what the checkpoint knows, a part is trained on again"
    run = json.loads((root / "pictures.run" / "train-run.json").read_text())
    assert Path(run["backbone"]) == root / "words", "what it has learned to see is kept"
    report = verify(root / NAME)
    assert (report.has_adapter, report.has_prompt_adapter) == (True, True)
    assert (root / NAME / PROJECTOR_FILE).read_bytes() == (start / PROJECTOR_FILE).read_bytes()
    assert not (root / "alignment" / "projector.safetensors").exists()
    descriptions = {row["id"] for row in read_rows(root / "alignment" / "train.jsonl")}
    assert descriptions & set(list_trained(root, "replies"))
    before, after = (load_file(one / "adapter" / "adapter_model.safetensors") for one in (start, root / NAME))
    assert before.keys() == after.keys()
    assert any(not torch.equal(before[name], after[name]) for name in before)
    with pytest.raises(ConfigError, match="holds another build"):
        make_build(root).run()


def test_a_permissive_build_sees_no_photograph(built: Path, make_build: MakeBuild, tmp_path: Path) -> None:
    """Neither its own trainings nor the projector of the build that it starts from saw one."""
    root = tmp_path / "permissive"
    make_build(root, start=built, permissive=True).run()
    for name in ("pictures", "replies"):
        assert not {"guns", "guns+flickr8k", "flickr8k"} & set(list_trained(root, name).values())
    assert not (root / "alignment").exists()
    images = [row["image"] for row in read_rows(root / "samples" / "replies.jsonl")]
    assert images
    assert not any(images)
    assert verify(root / NAME).spec.provenance["permissive"] is True
    assert "no photograph took part in its training" in (root / NAME / CARD_FILE).read_text(encoding="utf-8")
    assert not (root / NAME / PROJECTOR_FILE).exists()
    weights = [load_file(one / BACKBONE_DIR / "model.safetensors") for one in (root / NAME, built / NAME)]
    changed = {name for name, tensor in weights[0].items() if not torch.equal(tensor, weights[1][name])}
    assert changed
    assert all(name.startswith("multi_modal_projector.") for name in changed)


def test_a_head_that_reads_embeddings_needs_no_adapter(make_build: MakeBuild, tmp_path: Path) -> None:
    recipe = create_recipe()
    recipe = replace(recipe, safety={**recipe.safety, "prompt_layers": 0})
    make_build(tmp_path / "out", recipe=recipe).run(until="words")
    report = verify(tmp_path / "out" / "words")
    assert (report.spec.config.prompt_layers, report.has_prompt_adapter) == (0, False)


def test_a_cpu_takes_the_same_steps_in_smaller_passes(built: Path) -> None:
    run = json.loads((built / "words.run" / "train-run.json").read_text())
    assert (run["batch_size"], run["grad_accum"]) == (1, 4)


@pytest.mark.parametrize(("native", "precision"), [(True, "bf16"), (False, "fp32")])
def test_a_cpu_without_bfloat16_trains_in_full_precision(
    native: bool, precision: str, make_build: MakeBuild, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline, "multiplies_bfloat16", lambda: native)
    recipe = create_recipe()
    recipe = replace(recipe, words={**recipe.words, "precision": "bf16"})
    make_build(tmp_path / "out", recipe=recipe).run(until="words")
    assert json.loads((tmp_path / "out" / "words.run" / "train-run.json").read_text())["precision"] == precision


def test_a_checkpoint_sees_more_pictures_without_reading_words_first(
    built: Path, make_build: MakeBuild, tmp_path: Path
) -> None:
    """Files are those of another build, and nothing of the checkpoint's modules is reset."""
    root, start = tmp_path / "more-pictures", built / NAME
    make_build(root, start=built, weights=start).run(only="pictures")
    run = json.loads((root / "pictures.run" / "train-run.json").read_text())
    assert Path(run["backbone"]) == start
    folders = {Path(file).name: Path(file).parents[1] for file in run["data"]}
    assert folders == {"words-replayed.jsonl": root, "documents.jsonl": built, "pictures.jsonl": built}
    assert not (root / "pictures-start").exists()
