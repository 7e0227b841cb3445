"""Renders the settings as the Markdown table of ``docs/settings.md``.

``python -m service.settings.table`` prints it.
"""

from service.settings.settings import PREFIX, Settings


def render_settings_table() -> str:
    """Render all settings as a Markdown table."""
    rows = ["| Variable | Default | Meaning |", "| --- | --- | --- |"]
    for name, field in Settings.model_fields.items():
        default = "" if field.default in (None, ()) else str(field.default)
        shown = {"True": "true", "False": "false"}.get(default, default)
        rows.append(f"| `{PREFIX}{name.upper()}` | {f'`{shown}`' if shown else ''} | {field.description} |")
    return "\n".join(rows) + "\n"


if __name__ == "__main__":
    print(render_settings_table(), end="")
