"""docs/safevlm-small-build.md matches the code."""

import re
from pathlib import Path

from safety_core.cli.small.build import BUILD_FOLDER
from safety_core.small.build.pipeline import NAME, Build
from safety_core.small.build.recipe import Recipe
from safety_core.small.build.replies import distilled_replies
from safety_core.small.corpus.sources import FREE_TERMS, SOURCES
from safety_core.small.evaluation.systems.rows import ABLATED_LAYERS, ROWS
from tests.helpers.command_line import run_command
from tests.helpers.models.small_parts import RecordedProgress
from tests.helpers.paths import ROOT

TEXT = (ROOT / "docs" / "safevlm-small-build.md").read_text(encoding="utf-8")
WORDS = " ".join(TEXT.split())
RECIPE = Recipe()


def test_every_step_is_described_in_order() -> None:
    steps = Build(data=Path(), root=Path(), recipe=RECIPE, progress=RecordedProgress()).list_steps()
    lines = TEXT[TEXT.index("| step |") :].split("\n\n")[0].splitlines()[2:]
    assert [line.split("|")[1].strip(" `") for line in lines] == list(steps)


def test_numbers_are_those_of_the_recipe() -> None:
    assert f"after the first {RECIPE.safety['prompt_layers']} layers" in WORDS
    assert f"leaves the first {RECIPE.safety['prompt_layers']} layers alone" in WORDS
    assert f"a LoRA of rank {RECIPE.words['prompt_lora_r']} on a copy" in WORDS
    assert f"{RECIPE.replayed:,} of the words are trained on again" in WORDS
    assert f"{RECIPE.descriptions:,} descriptions" in WORDS
    assert f"{RECIPE.safe_replies:,} risky requests" in WORDS
    assert f"{RECIPE.own_replies:,} harmless requests" in WORDS
    assert f"within {distilled_replies._MOST_TOKENS} tokens" in WORDS
    assert f"at most {100 * RECIPE.goal.false_refusals:g} % of what deserves an answer is refused" in WORDS
    assert f"at most {100 * RECIPE.goal.false_cautions:g} % of what is harmless is flagged" in WORDS
    assert {fields["save_steps"] for fields in (RECIPE.words, RECIPE.pictures, RECIPE.replies)} == {100}
    assert "(every 100 steps)" in WORDS


def test_commands_have_the_options_that_are_shown() -> None:
    known = set(re.findall(r"--[a-z-]+", run_command("small", "build", "--help")))
    shown = {
        option
        for line in TEXT.splitlines()
        if line.startswith("safevlm small build")
        for option in re.findall(r"--[a-z-]+", line)
    }
    assert shown <= known
    assert f"into {BUILD_FOLDER}" in TEXT
    assert f"`{NAME}` in the working folder" in WORDS


def test_rows_and_sets_exist() -> None:
    rows = {row.name for row in ROWS}
    assert set(re.findall(r"--only (\w+)", TEXT)) <= rows
    *others, last = ABLATED_LAYERS
    assert f"after {', '.join(map(str, others))} or {last} layers" in WORDS
    pictures = {name for name, source in SOURCES.items() if "pictures" in source.uses}
    assert set(re.findall(r"--without (\w+)", TEXT)) <= pictures
    assert not any(SOURCES[name].terms in FREE_TERMS for name in pictures), "no photograph is left"
