"""docs/audit.md matches the code."""

import inspect
import re

from safety_core.cli.audit import audit
from safety_core.data.filtering import DEFAULT_REASONS, REASONS
from safety_core.dataset_audit.part_judging import WINDOW_ITEMS
from safety_core.dataset_audit.results import create_result_schema
from safety_core.dataset_audit.sources.item import MAX_PICTURES
from safety_core.dataset_audit.sources.opening import KINDS
from tests.helpers.datasets.audit_sources import RESULT_FILES
from tests.helpers.paths import ROOT

TEXT = (ROOT / "docs" / "audit.md").read_text(encoding="utf-8")
NAMED = set(re.findall(r"`([\w.-]+)`", TEXT))


def test_sources_results_columns_and_reasons_are_those_of_the_code() -> None:
    assert set(KINDS) <= NAMED
    assert set(RESULT_FILES) <= NAMED
    assert set(create_result_schema().names) <= NAMED
    assert set(REASONS) <= NAMED
    assert REASONS[:-1] == DEFAULT_REASONS
    assert REASONS[-1] == "duplicate"


def test_options_and_defaults_are_those_of_the_command() -> None:
    options = inspect.signature(audit).parameters
    for option in re.findall(r"`--([a-z-]+)", TEXT):
        if option not in ("reason", "least-risk", "no-duplicates", "record"):
            assert option.replace("-", "_") in options
    assert f"`--part-items` ({options['part_items'].default})" in TEXT
    assert f"`--examples` ({options['examples'].default})" in TEXT
    assert f"at most {MAX_PICTURES} pictures" in TEXT
    assert f"windows of {WINDOW_ITEMS}" in TEXT
