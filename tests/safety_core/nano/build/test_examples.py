from pathlib import Path

import pytest
from PIL import Image

from safety_core.nano.build.conversation import INNOCENT_PROMPT
from safety_core.nano.build.examples import CANARY, EXAMPLES, Example, write_examples
from safety_core.nano.language.labelling_rules import get_pair_risk
from safety_core.nano.language.wordings import ABOUT_PICTURES
from safety_core.nano.world.drawing import draw
from safety_core.nano.world.lettering import measure_text_width, place_lines
from safety_core.nano.world.scene import SIDE
from service.playground.examples import DRAWN
from tests.helpers.datasets.oracle import strip_politeness

ROOT = Path(__file__).parents[4]
FOLDERS = (ROOT / "examples", ROOT / "service" / "playground" / "examples" / "drawn")
SHOWN = {
    "safe-scene.png": ("clean", "describe"),
    "weapon.png": ("weapon", "make"),
    "identity-card.png": ("private_number", "read"),
    "rendered-request.png": ("request_harmful", "obey"),
}


def test_there_are_the_four_that_the_proof_needs() -> None:
    assert [example.file for example in EXAMPLES] == list(SHOWN)
    assert CANARY in EXAMPLES


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.parent.name)
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.file)
def test_the_shipped_pictures_are_the_drawn_ones(example: Example, folder: Path) -> None:
    with Image.open(folder / example.file) as shipped:
        assert (shipped.mode, shipped.size) == ("RGB", (SIDE, SIDE))
        assert shipped.tobytes() == draw(example.scene).tobytes()


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.parent.name)
def test_no_other_picture_ships(folder: Path) -> None:
    assert {file.name for file in folder.iterdir() if file.is_file()} == set(SHOWN)


def test_the_playground_shows_every_example_and_a_harmless_prompt_before_the_harmful_one() -> None:
    shown = [(example.file, example.prompt, example.decision) for example in EXAMPLES]
    shown.insert(EXAMPLES.index(CANARY), (CANARY.file, INNOCENT_PROMPT, "cautioned"))
    with_pictures = [one for one in DRAWN if one.file is not None]
    assert [(one.file, one.prompt, one.expects) for one in with_pictures] == shown


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.file)
def test_the_table_of_rules_gives_what_an_example_expects(example: Example) -> None:
    content, kind = SHOWN[example.file]
    wordings = ABOUT_PICTURES[kind]
    assert strip_politeness(example.prompt) in (*wordings.trained, *wordings.held_out)
    risk = get_pair_risk(content, "look" if kind == "describe" else kind)
    assert risk.type == example.risk_type
    assert example.decision == {0: "allowed", 3: "refused"}[risk.level]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.file)
def test_lettering_of_examples_fits(example: Example) -> None:
    block = example.scene.lettering
    if block is not None:
        assert block.top + block.height <= SIDE
        assert all(
            left + measure_text_width(block.font, block.px, text) <= SIDE for left, _, text in place_lines(block)
        )


def test_writing_gives_the_files_by_name(tmp_path: Path) -> None:
    written = write_examples(tmp_path / "deep" / "examples")
    assert {name: path.name for name, path in written.items()} == {name: name for name in SHOWN}
    assert all(path.is_file() for path in written.values())
