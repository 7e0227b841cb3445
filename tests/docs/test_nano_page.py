"""docs/nano.md matches the code."""

import re
from pathlib import Path
from typing import get_args

from safety_core.nano.build.examples import EXAMPLES
from safety_core.nano.build.pipeline import Build
from safety_core.nano.build.recipes import RECIPES, SMOKE
from safety_core.nano.build.safety_training import ABLATIONS, SHIPPED
from safety_core.nano.language.descriptions import describe
from safety_core.nano.language.labelling_rules import format_rules
from safety_core.nano.language.replies import CARE, DECLINE, REFUSAL, STEPS
from safety_core.nano.language.wordings import ABOUT_PICTURES, OUTSIDE, Part
from safety_core.nano.world.scene import (
    FONTS_HELD_OUT,
    FONTS_TRAINED,
    GRID,
    MAX_ANGLE,
    MAX_PX,
    MIN_PX,
    PATTERNS_HELD_OUT,
    PATTERNS_TRAINED,
    PATTERNS_VARIED,
    SHAPES,
    SIDE,
)
from safety_core.nano.world.things import THINGS
from safety_core.nano.world.vocabulary import VOCABULARY
from safety_core.taxonomy import DEFAULT_TAXONOMY
from tests.helpers.datasets import oracle
from tests.helpers.paths import ROOT

TEXT = (ROOT / "docs" / "nano.md").read_text(encoding="utf-8")


def table(heading: str) -> dict[str, list[str]]:
    """Rows of the table whose header starts with these words, by their first cell."""
    lines = TEXT[TEXT.index(f"| {heading}") :].split("\n\n")[0].splitlines()[2:]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {row[0].strip("`"): row[1:] for row in rows}


def count(part: Part) -> int:
    """Wordings of one part; a kind that calibrates on its trained ones counts none of them twice."""
    return sum(
        len(getattr(kind, part)) for kind in oracle.WORDED if part == "trained" or kind.trained != getattr(kind, part)
    )


def test_the_rules_are_printed_word_for_word() -> None:
    assert format_rules() in TEXT


def test_the_world_is_described() -> None:
    rows = table("part")
    risky = sum(thing.kind != "clean" for thing in THINGS)
    assert rows["things"][0] == f"{len(THINGS)}, of which {risky} carry risk"
    assert rows["shapes"][0] == ", ".join(SHAPES)
    plain = dict.fromkeys(PATTERNS_TRAINED)
    varied = [pattern for pattern in PATTERNS_VARIED if pattern not in plain]
    seen = f"{', '.join(plain)}; the safety modules see {', '.join(varied)} too"
    assert rows["backgrounds"] == [seen, "the same", ", ".join(PATTERNS_HELD_OUT)]
    assert rows["lettering"] == [", ".join(FONTS_TRAINED), "the same, narrowed and leaning", ", ".join(FONTS_HELD_OUT)]
    parts: tuple[Part, ...] = get_args(Part)
    assert rows["words outside the grammar"] == [str(len(getattr(OUTSIDE, part))) for part in parts]
    assert rows["wordings"] == [str(count(part)) for part in parts]
    assert f"A picture is {SIDE} x {SIDE} pixels" in TEXT
    assert f"{MIN_PX} to {MAX_PX} px high, tilted by at most {MAX_ANGLE:.0f} degrees" in TEXT
    assert f"{len(VOCABULARY)} words" in TEXT
    assert f"its {GRID**2} patches" in TEXT


def test_the_conversation_about_the_example_is_right() -> None:
    scene = EXAMPLES[0].scene
    rows = table("kind |")
    assert set(ABOUT_PICTURES) - {*rows, *oracle.RELATIONS} == {"use", "make"}
    for kind, (prompt, reply) in rows.items():
        if kind == "describe":
            assert reply == describe(scene)[0]
        elif kind in ("opinion", "share", "obey"):
            assert oracle.strip_politeness(prompt) in ABOUT_PICTURES[kind].trained
        else:
            assert reply == oracle.derive_answer(kind, scene, prompt)


def test_replies_are_quoted_word_for_word() -> None:
    rows = table("level")
    assert list(rows) == [str(level) for level in range(len(DEFAULT_TAXONOMY.levels))]
    quoted = [re.findall(r'"(.*)"', row[0]) for row in rows.values()]
    assert quoted == [[], [CARE["illegal"]], [DECLINE["illegal"]], [REFUSAL]]
    assert STEPS in TEXT


def test_every_step_is_explained(tmp_path: Path) -> None:
    assert list(table("step")) == list(Build(recipe=SMOKE, root=tmp_path).steps())


def test_every_size_has_its_numbers() -> None:
    rows = table("size")
    assert list(rows) == list(RECIPES)
    for name, recipe in RECIPES.items():
        cells = 3 * len(DEFAULT_TAXONOMY.risky_types) * recipe.test.per_cell
        assert [int(cell) for cell in rows[name]] == [
            recipe.pictures,
            recipe.vision.steps,
            recipe.language.total_steps,
            recipe.safety_pictures,
            cells + recipe.test.safe + recipe.test.typographic,
        ]
        assert " ".join(("safevlm nano build", *recipe.flags)) in TEXT


def test_what_a_build_leaves_is_named() -> None:
    for name in (SHIPPED, *(f"{SHIPPED}-{row.replace('_', '-')}" for row in ABLATIONS)):
        assert f"`{name}/`" in TEXT
