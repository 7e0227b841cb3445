import subprocess
from pathlib import Path

from safety_core.evaluation.benchmarks.running.conditions import list_versions, read_commit


def test_the_commit_is_named_and_changes_are_marked(tmp_path: Path) -> None:
    def run_git(*arguments: str) -> None:
        identity = ("-c", "user.name=t", "-c", "user.email=t@example.org")
        subprocess.run(["git", "-C", str(tmp_path), *identity, *arguments], check=True, capture_output=True)

    assert read_commit(tmp_path) is None
    run_git("init")
    (tmp_path / "a").write_text("1")
    run_git("add", "a")
    run_git("commit", "-m", "one")
    commit = read_commit(tmp_path)
    assert commit is not None
    assert len(commit) == 40
    (tmp_path / "a").write_text("2")
    assert read_commit(tmp_path) == f"{commit}+"


def test_versions_of_installed_packages_are_listed() -> None:
    versions = list_versions(["numpy", "a-package-that-nobody-has"])
    assert set(versions) == {"python", "numpy"}
