"""The page about settings lists them all."""

from service.settings import Settings
from service.settings.table import render_settings_table
from tests.helpers.paths import ROOT


def test_every_setting_is_described_and_the_readme_shows_them_all() -> None:
    assert all(field.description for field in Settings.model_fields.values())
    table = render_settings_table()
    assert table.count("\n") == len(Settings.model_fields) + 2
    assert table in (ROOT / "docs" / "settings.md").read_text(encoding="utf-8"), (
        f"docs/settings.md should contain:\n{table}"
    )
