"""``safevlm policy``: what an operator is told about a file, and about a decision."""

import json
from pathlib import Path

import pytest

from safety_core.model.checkpoint.checkpoint import verify
from safety_core.policy.loader import read_book
from safety_core.policy.presets import PresetName, find_preset
from safety_core.taxonomy import DEFAULT_TAXONOMY
from tests.helpers.command_line import run_command
from tests.helpers.images.pictures import draw_ellipse

FILE = """\
thresholds: {privacy: {3: 0.25}}
enabled: {politics: false}
hints: {illegal: {1: Mind the law.}}
translations: {de: {fallback_refusal: Nein.}}
beside: [trial]
policies:
  trial: {mode: shadow, actions: {privacy: {1: refuse}}}
selectable: [trial]
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "policy.yaml"
    path.write_text(FILE)
    return path


def test_check_says_what_each_policy_changes(file: Path, tiny_checkpoint: Path) -> None:
    told = run_command("policy", "check", file, "--checkpoint", tiny_checkpoint)
    assert told.startswith(f"{file}: valid, version ")
    default, trial = told.split("\npolicy ")[1:]
    assert default.startswith("default (enforce, beside it trial; texts in de, en)")
    assert "thresholds.privacy.3: 0.5 → 0.25" in default
    assert "enabled.politics: true → false" in default
    assert "hints.illegal.1: replaced" in default
    assert trial.startswith("trial (shadow, selectable by requests; texts in de, en)")
    assert 'actions.privacy.1: "caution" → "refuse"' in trial


def test_check_points_at_the_line(file: Path, tiny_checkpoint: Path) -> None:
    file.write_text(FILE + "translations: {}\n")
    assert run_command("policy", "check", file, "--checkpoint", tiny_checkpoint, code=1) == (
        "error: policy.yaml:9: translations: the field occurs twice\n"
    )
    file.write_text("thresholds:\n  privacy:\n    3: none\n")
    assert "policy.yaml:3: thresholds.privacy.3: a number is needed" in run_command(
        "policy", "check", file, "--checkpoint", tiny_checkpoint, code=1
    )


def test_explain_names_score_threshold_and_rule(file: Path, tiny_checkpoint: Path, tmp_path: Path) -> None:
    picture = tmp_path / "picture.png"
    draw_ellipse("red", (40, 30)).save(picture)
    arguments = ("policy", "explain", file, "--image", picture, "--prompt", "What is it?")
    found = json.loads(run_command(*arguments, "--json", "--checkpoint", tiny_checkpoint))
    told = run_command(*arguments, "--checkpoint", tiny_checkpoint)
    assert told.startswith(f"decision   {found['decision']}, by the policy default\n")
    assert "off        politics\n" in told
    assert f"beside     trial: {found['others']['trial']}\n" in told
    for rule in found["rules"]:
        assert f"{rule['belief']:.4f} {rule['threshold']:>10.4f}" in told
    assert {view["view"] for view in found["views"]} == {"image 1", "all", "images", "text"}
    shadow = run_command(*arguments, "--policy", "trial", "--checkpoint", tiny_checkpoint)
    assert shadow.startswith("decision   allowed, by the policy trial, which would have decided ")


def test_explain_refuses_what_it_cannot_explain(file: Path, tiny_checkpoint: Path) -> None:
    nothing = run_command("policy", "explain", file, "--checkpoint", tiny_checkpoint, code=2)
    assert "an image or a prompt is needed" in nothing
    unknown = run_command(
        "policy", "explain", file, "--prompt", "x", "--policy", "y", "--checkpoint", tiny_checkpoint, code=2
    )
    assert "the file has the policies default, trial" in " ".join(unknown.replace("│", " ").split())


@pytest.mark.parametrize("arguments", [(), ("--json",)])
@pytest.mark.parametrize("name", ["strict", "balanced", "permissive"])
def test_a_preset_is_a_policy_file(
    name: str, arguments: tuple[str, ...], tiny_checkpoint: Path, tmp_path: Path
) -> None:
    written = tmp_path / "preset.yaml"
    written.write_text(run_command("policy", "preset", name, *arguments, "--checkpoint", tiny_checkpoint))
    base = verify(tiny_checkpoint).policy
    book = read_book(written, base, DEFAULT_TAXONOMY)
    assert book.select().policy == find_preset(PresetName(name)).derive_policy(base)
    told = run_command("policy", "check", written, "--checkpoint", tiny_checkpoint)
    assert ("thresholds.privacy.3: 0.5 → " in told) == (name != "balanced")


def test_an_unknown_preset_is_named(tiny_checkpoint: Path) -> None:
    assert "lenient" in run_command("policy", "preset", "lenient", "--checkpoint", tiny_checkpoint, code=2)
