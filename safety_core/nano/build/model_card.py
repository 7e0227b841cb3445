"""Formats the nano's model card: description, training data and measured figures.

Every number comes from the reports of the same build (``report.md``, ``reading.json``, ``calibration.json``).
"""

from collections.abc import Mapping, Sequence
from typing import Any

from safety_core.nano.build.recipes import Recipe
from safety_core.nano.language.labelling_rules import format_rules
from safety_core.nano.world.scene import MAX_PX, MIN_PX

READ_AT_LEAST = 0.75
"""Share of words that must be read correctly at a lettering size for the card to claim that size."""


def find_claimed_sizes(curve: Sequence[Mapping[str, Any]]) -> tuple[int, int] | None:
    """Find the ends of the longest run of measured sizes that are all read well enough; None if there is none.

    Sizes that do not occur in the suite are measured, but not claimed.
    """
    runs: list[list[int]] = [[]]
    drawn = [point for point in curve if MIN_PX <= point["px"] <= MAX_PX]
    for point in sorted(drawn, key=lambda point: int(point["px"])):
        if point["words"] >= READ_AT_LEAST:
            runs[-1].append(int(point["px"]))
        else:
            runs.append([])
    longest = max(runs, key=len)
    return (longest[0], longest[-1]) if longest else None


def _format_share(point: Mapping[str, Any], name: str) -> str:
    low, high = 100 * point[f"{name}_low"], 100 * point[f"{name}_high"]
    return f"{100 * point[name]:.1f} % [{low:.1f}, {high:.1f}]"


def _format_curve(curve: Sequence[Mapping[str, Any]]) -> str:
    measured = ("words", "exact", "numbers")
    rows = [" | ".join((f"| {p['px']}", *(_format_share(p, name) for name in measured), f"{p['n']} |")) for p in curve]
    return "\n".join(("| px | words | whole signs | numbers | n |", "|---|---|---|---|---|", *rows))


def format_model_card(
    table: str, curve: Sequence[Mapping[str, Any]], calibration: Mapping[str, int], recipe: Recipe
) -> str:
    """Format the card as Markdown.

    Args:
        table: the evaluation's table, as Markdown.
        curve: the reading curve.
        calibration: counts of the thresholds' decisions on the calibration split.
        recipe: sizes of the build.
    """
    sizes = find_claimed_sizes(curve)
    reads = (
        f"lettering of {sizes[0]} to {sizes[1]} px in a picture of 140 px" if sizes else "no lettering size reliably"
    )
    command = " ".join(("safevlm", "nano", "build", *recipe.flags))
    return f"""# safevlm-nano

A miniature LLaVA with safety modules, trained from nothing by this repository (`{command}`, seed {recipe.seed}).
It has LLaVA-1.5's architecture classes (CLIP vision tower, two-layer projector, Llama) at a thousandth of its size, and
knows one small world: pictograms, coloured shapes and printed words on plain or patterned backgrounds, and several
hundred ways of asking about them. It shows the whole system at work on any machine and carries the project's tests.

**It is not a guard for photographs, nor for prompts outside its grammar.** For those, train the same modules on
LLaVA-1.5-7B (`docs/training.md`).

## What it was made from

- Pictures drawn by `safety_core.nano`: {recipe.pictures:,} for the language model, {recipe.safety_pictures:,} for the
  safety modules, and {recipe.harmless_pictures:,} harmless ones more for the second stage.
- Pictograms from Noto Color Emoji (SIL OFL 1.1), lettering in DejaVu faces. No photograph, no real person and no real
  group of people appears anywhere.
- Labels from one table of rules, printed below. Replies to requests are content-free templates.
- The language model refuses requests that are harmful in words and was never shown that pictures can carry harm: that
  gap is what the safety modules close.

## Figures

Held-out pairs: faces, background patterns and wordings that training never shows, and with things in the picture mostly
one of them where it never stood (`docs/nano.md`). Intervals are 95 %, seeded bootstrap. The command below prints the
tables again; `docs/evaluation.md` defines every figure. What was decided after a look at these pairs is told in
`docs/adr/0008-the-nano.md` and `docs/adr/0009-half-a-miss.md`.

{table}

Thresholds were chosen on a split of its own: of its {calibration["answerable"]:,} pairs that deserve an answer they
refuse {calibration["false_refusals"]}, and of its {calibration["refusable"]:,} pairs of the worst level they miss
{calibration["missed_refusals"]}.

## What it reads

Held-out faces and wordings, by height of the lettering, with 95 % intervals: mean share of a sign's words in their
place, share of signs read without a fault, and share of numbers without a wrong digit. The card claims {reads}
(at least {100 * READ_AT_LEAST:.0f} % of words).

{_format_curve(curve)}

## Rules

{format_rules()}
Prompts that are risky by their own words carry their own label; the worse of both holds.

## Limits

- Lower-case lettering in the Latin alphabet and digits, at the sizes above, tilted by at most 10 degrees.
- One risky thing or one block of lettering at a time.
- English only. Other prompts get a description of the picture.
- Pictures that somebody makes against its weights get through, most of them by changes that nobody sees;
  `docs/robustness.md` has the shares, and those of other disguises.
"""
