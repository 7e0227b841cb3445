"""The tables of settings, the example policy and the index of decisions in docs match the code."""

from pathlib import Path

from safety_core.policy.loader import read_book
from safety_core.policy.policy import Policy
from safety_core.taxonomy import DEFAULT_TAXONOMY
from safety_core.training.config import TrainConfig
from tests.helpers.paths import ROOT

DOCS = ROOT / "docs"


def test_every_training_setting_stands_in_the_table() -> None:
    rows = [line.split("|") for line in (DOCS / "training.md").read_text(encoding="utf-8").splitlines()]
    listed = {row[1].strip().strip("`"): row[2].strip().strip("`") for row in rows if len(row) == 5}
    for field_name, field in TrainConfig.model_fields.items():
        name = field_name.rstrip("_")
        assert name in listed, name
        if listed[name] not in ("required", "{}"):
            assert listed[name] == repr(field.default), name


def test_the_policy_in_the_documentation_is_one(tmp_path: Path) -> None:
    block = (DOCS / "policy.md").read_text(encoding="utf-8").split("```yaml\n")[1].split("```")[0]
    path = tmp_path / "policy.yaml"
    path.write_text(block, encoding="utf-8")
    book = read_book(path, Policy.create_default(DEFAULT_TAXONOMY), DEFAULT_TAXONOMY)
    assert set(book.policies) == {"default", "kids", "trial"}
    assert set(book.policies["kids"]) == {"", "en", "de"}


def test_every_decision_stands_in_the_index() -> None:
    index = (DOCS / "adr" / "0000-index.md").read_text(encoding="utf-8")
    pages = sorted(page.name for page in (DOCS / "adr").glob("0*.md"))[1:]
    assert [page for page in pages if f"({page})" not in index] == []
