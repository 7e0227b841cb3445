"""Commands that work from files of scores and audit logs, without any model."""

import csv
from pathlib import Path

import pytest

from safety_core.audit_log.entries import AuditEntry, EntryKind
from safety_core.audit_log.store import AuditLog
from safety_core.cli.checkpoints.calibration_report import format_certified, format_shift
from safety_core.evaluation.calibration.certification.certified_thresholds import certify_thresholds
from safety_core.evaluation.calibration.certification.promises import Promise
from safety_core.evaluation.calibration.scores.score_file import StoredScores, write_scores
from safety_core.evaluation.calibration.validation import SourceRate
from safety_core.policy.loader import read_book
from safety_core.policy.policy import Policy, decide
from safety_core.policy.presets import PresetName
from safety_core.scores import RiskScores
from safety_core.taxonomy import DEFAULT_TAXONOMY
from tests.helpers.calibration.guarantees import GUARANTEE
from tests.helpers.calibration.simulated_scores import Simulation
from tests.helpers.calibration.text_checkpoints import write_text_checkpoint
from tests.helpers.command_line import run_command

T = DEFAULT_TAXONOMY
BASE = Policy.create_default(T)
TABLE = Simulation().draw(1500, seed=0)


@pytest.fixture(scope="module")
def scores(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("scores") / "scores.jsonl"
    stored = StoredScores(table=TABLE, policy=BASE, checkpoint="c", data="d")
    write_scores(path, stored, [str(number) for number in range(len(TABLE))])
    return path


@pytest.fixture(scope="module")
def traffic(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """An audit log and its confirmed labels."""
    folder = tmp_path_factory.mktemp("traffic")
    with (
        AuditLog(folder / "audit.db", max_age_s=1e12, max_entries=10**6) as log,
        (folder / "labels.csv").open("w", newline="") as stream,
    ):
        writer = csv.writer(stream)
        writer.writerow(["request_id", "confirmed_level"])
        entries = []
        for index in range(900):
            view = RiskScores(types=tuple(TABLE.types_VC[index]), levels=tuple(TABLE.levels_VL[index]))
            entries.append(
                AuditEntry(
                    kind=EntryKind.DECISION,
                    request_id=f"guard-{index}",
                    endpoint="chat",
                    time=1_700_000_000.0,
                    checkpoint="served",
                    decision=decide(BASE, T, view).decision.value,
                    type_scores=dict(zip(T.types, view.types, strict=True)),
                    level_scores=dict(zip(T.levels, view.levels, strict=True)),
                )
            )
            writer.writerow([f"guard-{index}", T.levels[TABLE.gold_level_P[index]]])
        log.append(entries)
    return folder / "audit.db", folder / "labels.csv"


def test_splits_are_validated_from_a_file_of_scores(scores: Path) -> None:
    told = run_command("calibrate", "validate", "--scores", scores, "--splits", 5, "--alpha", 0.05, "--quiet")
    assert "of 5 splits, not significantly above delta = 0.1" in told
    assert told.count("limit 5.000%") == 2
    average = run_command(
        *("calibrate", "validate", "--scores", scores, "--splits", 5, "--alpha", 0.05, "--quiet"),
        *("--method", "risk-control"),
    )
    assert "on average: no mean exceeds its limit significantly" in average


def test_a_broken_promise_has_a_status_of_its_own(scores: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "safety_core.evaluation.calibration.certification.rate_tests.count_rejections",
        lambda p_values, delta: len(p_values),
    )
    run_command("calibrate", "validate", "--scores", scores, "--splits", 5, "--quiet", code=3)


def test_shift_is_a_table(scores: Path) -> None:
    lines = run_command("calibrate", "shift", "--scores", scores, "--alpha", 0.05, "--quiet").splitlines()
    assert lines[0].startswith("| left out | rate | limit |")
    assert {line.split(" | ")[0] for line in lines[2:]} == {"| set0", "| set1", "| set2"}
    hard = SourceRate(
        source="x", rate="false_refusals", alpha=0.05, groups=30, value=0.3, low=0.2, high=0.4, abstained=False
    )
    assert list(format_shift([hard]))[-1] == (
        "| x | false refusals | 5.00% | 30 | 30.00% | 20.00% – 40.00% | above the limit |"
    )


@pytest.mark.parametrize("command", ["validate", "shift"])
def test_scores_or_what_they_are_computed_from_are_needed(command: str, tmp_path: Path) -> None:
    assert "--scores is needed" in run_command("calibrate", command, "--quiet", code=2)
    told = run_command("calibrate", command, "--scores", tmp_path / "gone", "--quiet", code=1)
    assert "there is no such file" in told


def test_certified_thresholds_are_printed_with_their_guarantee() -> None:
    lines = list(format_certified(certify_thresholds(TABLE, BASE, Promise(alpha=0.05))))
    assert sum(line.startswith("guarantee  with probability 0.95") for line in lines) == 2
    assert any(line.startswith("preset     strict (at most 10.000%, 10.000%)") for line in lines)
    assert any(line.startswith("measured   false refusals") for line in lines)
    assert lines[-1].endswith("harmless pairs cautioned")
    tiny = list(format_certified(certify_thresholds(Simulation().draw(50, seed=0), BASE, Promise())))
    assert sum(line.startswith("abstained  ") for line in tiny) == 2


def test_a_proposal_is_a_policy_file(traffic: tuple[Path, Path], tmp_path: Path) -> None:
    log, labels = traffic
    checkpoint = write_text_checkpoint(tmp_path / "served", BASE)
    arguments = ("calibrate", "--checkpoint", checkpoint, "--from-audit-log", log, "--labels", labels, "--alpha", 0.05)
    told = run_command(*arguments)
    assert "from 900 labelled of 900 decisions in 900 groups" in told
    assert "# Guarantee: with probability 0.95, at most 5.000%" in told
    assert sorted(path.name for path in tmp_path.iterdir()) == ["served"], "nothing is written"
    out = tmp_path / "policy.yaml"
    out.write_text("enabled: {politics: false}\n")
    assert run_command(*arguments, "--policy", out).count("politics: {") == 0
    assert out.read_text() == "enabled: {politics: false}\n"
    assert run_command(*arguments, "--write", out) == told
    assert out.read_text() == told
    proposed = read_book(out, BASE, T).select().policy
    assert proposed.thresholds != BASE.thresholds
    assert proposed.actions == BASE.actions
    with_own = run_command(*arguments, "--policy", out)
    assert "thresholds:" in with_own or "No threshold changes" in with_own


def test_a_proposal_without_enough_labels_changes_nothing(traffic: tuple[Path, Path], tmp_path: Path) -> None:
    log, labels = traffic
    few = tmp_path / "few.csv"
    few.write_text("".join(labels.read_text().splitlines(keepends=True)[:30]) + "gone,safe\n")
    checkpoint = write_text_checkpoint(tmp_path / "served", BASE)
    told = run_command("calibrate", "--checkpoint", checkpoint, "--from-audit-log", log, "--labels", few)
    assert told.count("# No guarantee: too few labels") == 2
    assert "# 1 labels belong to no decision in the log." in told
    assert told.endswith("# No threshold changes.\n")


def test_labels_that_are_no_random_sample_get_no_guarantee(traffic: tuple[Path, Path], tmp_path: Path) -> None:
    log, labels = traffic
    head, *rows = labels.read_text().splitlines(keepends=True)
    refused = tmp_path / "refused.csv"
    refused.write_text(head + "".join(row for row in rows if "refuse" in row))
    checkpoint = write_text_checkpoint(tmp_path / "served", BASE)
    told = run_command("calibrate", "--checkpoint", checkpoint, "--from-audit-log", log, "--labels", refused)
    assert "# No guarantee: the labelled decisions are no random sample" in told
    assert "# Guarantee:" not in told


def test_options_that_do_not_belong_together_are_refused(traffic: tuple[Path, Path], tmp_path: Path) -> None:
    log, labels = traffic
    checkpoint = ("--checkpoint", write_text_checkpoint(tmp_path / "served", BASE))
    data = ("--data", tmp_path / "data.jsonl")
    for arguments, told in (
        ((), "--checkpoint is needed"),
        (checkpoint, "--data is needed"),
        ((*checkpoint, "--false-refusals", 0.1), "--data is needed"),
        ((*checkpoint, *data, "--false-refusals", 0.1, "--alpha", 0.1), "knows no alpha"),
        ((*checkpoint, *data, "--false-refusals", 0.1, "--method", "learn-then-test"), "budgets are for"),
        ((*checkpoint, "--from-audit-log", log), "--labels is needed"),
    ):
        output = " ".join(run_command("calibrate", *arguments, code=2).replace("│", " ").split())
        assert told in output, arguments
    audit = (*checkpoint, "--from-audit-log", log, "--labels", labels)
    assert "is not a time" in run_command("calibrate", *audit, "--since", "soon", code=1)
    assert "no decision of served" in run_command("calibrate", *audit, "--since", "2040-01-01", code=1)
    assert "a share between 0 and 1" in run_command("calibrate", *audit, "--alpha", "2", code=1)


def test_a_calibrated_preset_comes_before_a_derived_one(tmp_path: Path) -> None:
    checkpoint = write_text_checkpoint(tmp_path / "served", BASE, GUARANTEE)
    told = run_command("policy", "preset", "strict", "--checkpoint", checkpoint)
    assert told.startswith("# Strict: with probability 0.95, at most 1.000% of the requests that deserve an answer")
    assert "\n# Measured: missed of the worst level 25.00%\n" in told
    (tmp_path / "preset.yaml").write_text(told)
    chosen = read_book(tmp_path / "preset.yaml", BASE, T).select().policy
    assert chosen.thresholds["privacy"] == {1: 0.3, 2: 0.5, 3: 0.5}
    assert chosen.actions == BASE.actions
    derived = run_command("policy", "preset", "strict", "--derived", "--checkpoint", checkpoint)
    assert derived.startswith("# Strict: Reacts at a third of the odds")
    permissive = run_command("policy", "preset", "permissive", "--checkpoint", checkpoint)
    assert permissive.startswith("# Permissive: Reacts at three times"), "the guarantee has no such preset"
    assert PresetName.PERMISSIVE not in GUARANTEE.presets
