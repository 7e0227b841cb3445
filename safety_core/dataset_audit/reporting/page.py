"""Formats the report as one page of HTML that loads nothing and runs nothing.

Every value is escaped by the template engine. A Content-Security-Policy forbids scripts, requests and forms, and allows
only the page's own style sheet, by its hash, and pictures inside the page. Examples are blurred until they are clicked.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files

from safety_core.dataset_audit.reporting.candidates import Cell
from safety_core.dataset_audit.reporting.examples import Example
from safety_core.dataset_audit.reporting.shares import Share
from safety_core.dataset_audit.reporting.summary import Summary
from safety_core.dataset_audit.sources.parquet_source import EXTRA_NEEDED
from safety_core.errors import ConfigError

_BAR_WIDTH = 120


@dataclass(frozen=True, slots=True)
class Bar:
    """A share as a bar with its interval, in pixels."""

    share: Share
    width: float
    low: float
    high: float


def format_page(title: str, checkpoint: str, summary: Summary, examples: Mapping[Cell, Sequence[Example]]) -> str:
    """Format the page.

    Args:
        title: name of the source.
        checkpoint: name of the checkpoint.
        summary: the counts.
        examples: examples of types and levels; level 0 stands for what was allowed.

    Raises:
        ConfigError: the extra ``data`` is not installed.
    """
    try:
        from jinja2 import Environment, StrictUndefined
        from markupsafe import Markup
    except ImportError as exc:
        raise ConfigError(EXTRA_NEEDED) from exc
    folder = files("safety_core.dataset_audit.reporting")
    style = (folder / "page.css").read_text(encoding="utf-8")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["percent"] = format_percent
    template = environment.from_string((folder / "page.html.j2").read_text(encoding="utf-8"))
    return template.render(
        title=title,
        checkpoint=checkpoint,
        summary=summary,
        levels=summary.taxonomy.levels,
        rows=_build_bars(summary),
        examples=examples,
        bar_width=_BAR_WIDTH,
        style=Markup(style),  # our own file, the only text that is not escaped
        style_hash=hash_style(style),
    )


def hash_style(style: str) -> str:
    """Compute the source expression of a style sheet for a Content-Security-Policy."""
    return "sha256-" + base64.b64encode(hashlib.sha256(style.encode()).digest()).decode("ascii")


def format_percent(value: float) -> str:
    """Format a share in percent, with two significant digits where it is small."""
    percent = 100 * value
    return f"{percent:.1f} %" if percent >= 1 or percent == 0 else f"{percent:.2g} %"


def _build_bars(summary: Summary) -> dict[str, list[Bar]]:
    """Build the bars of each risky type, one for each level above 0; all of one scale."""
    shares = {
        kind: [summary.estimate_cell(kind, level) for level in range(1, len(summary.taxonomy.levels))]
        for kind in summary.taxonomy.risky_types
    }
    longest = max((share.high for row in shares.values() for share in row), default=1.0) or 1.0
    scale = _BAR_WIDTH / longest
    return {
        kind: [
            Bar(share, round(share.value * scale, 2), round(share.low * scale, 2), round(share.high * scale, 2))
            for share in row
        ]
        for kind, row in shares.items()
    }
