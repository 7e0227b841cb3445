from collections import Counter

import pytest
from transformers import PreTrainedTokenizerFast

from safety_core.nano.build.backbone import BackboneTraining, load_tokenizer
from safety_core.nano.build.examples import EXAMPLES
from safety_core.nano.build.recipes import SMOKE
from safety_core.nano.pretrain.language.patch_names import create_patch_namer
from safety_core.nano.world.patch_labels import THING_CLASSES, WORD_CLASSES
from safety_core.nano.world.scene import GRID, Lettering, PlacedItem, Scene


@pytest.fixture(scope="module")
def smoke_tokenizer(tmp_path_factory: pytest.TempPathFactory) -> PreTrainedTokenizerFast:
    """The tokenizer of the smallest build, in which most names are one token."""
    root = tmp_path_factory.mktemp("smoke")
    BackboneTraining(recipe=SMOKE, root=root, show=False).train_tokenizer()
    return load_tokenizer(root)


def make_scene(*items: PlacedItem, lettering: Lettering | None = None) -> Scene:
    return Scene(background="white", pattern="plain", seed=1, items=items, lettering=lettering)


def make_lettering(text: str) -> Lettering:
    return Lettering(lines=((text,),), font="DejaVuSansMono-Bold", px=32, colour="black", left=12, top=48)


def place(name: str, cell: int) -> PlacedItem:
    return PlacedItem(name=name, cell=cell, size=46, dx=0, dy=0)


def test_patches_are_named_by_what_they_show(smoke_tokenizer: PreTrainedTokenizerFast) -> None:
    named = Counter[str]()
    name_patches = create_patch_namer(smoke_tokenizer)
    for example in EXAMPLES:
        shown = name_patches(example.scene)
        assert len(shown) == GRID**2
        named.update(str(smoke_tokenizer.decode([one])) for one in shown if one != -100)
    assert set(named) <= {f" {name}" for name in (*THING_CLASSES, *WORD_CLASSES)} | set("0123456789")
    assert named.total() >= 9


def test_digits_are_named_too(smoke_tokenizer: PreTrainedTokenizerFast) -> None:
    scene = next(example.scene for example in EXAMPLES if example.file == "identity-card.png")
    named = {str(smoke_tokenizer.decode([one])) for one in create_patch_namer(smoke_tokenizer)(scene) if one != -100}
    assert {name for name in named if name.isdigit()} <= set("4821907")
    assert any(name.isdigit() for name in named)


def test_a_thing_is_named_at_its_patches_and_nowhere_else(tokenizer: PreTrainedTokenizerFast) -> None:
    (dog,) = tokenizer(" dog", add_special_tokens=False).input_ids
    shown = create_patch_namer(tokenizer)(make_scene(place("dog", 4)))
    assert {index for index, name in enumerate(shown) if name == dog} == {
        row * GRID + column for row in range(3, 7) for column in range(3, 7)
    }
    assert set(shown) == {dog, -100}


def test_a_name_of_several_tokens_names_nothing(tokenizer: PreTrainedTokenizerFast) -> None:
    assert len(tokenizer(" house", add_special_tokens=False).input_ids) > 1
    assert set(create_patch_namer(tokenizer)(make_scene(place("house", 4)))) == {-100}


def test_lettering_is_named_by_its_word(tokenizer: PreTrainedTokenizerFast) -> None:
    (the,) = tokenizer(" the", add_special_tokens=False).input_ids
    assert set(create_patch_namer(tokenizer)(make_scene(lettering=make_lettering("the")))) == {the, -100}


def test_digits_are_named_one_by_one_in_their_order(tokenizer: PreTrainedTokenizerFast) -> None:
    shown = create_patch_namer(tokenizer)(make_scene(lettering=make_lettering("42")))
    rows = [[name for name in shown[start : start + GRID] if name != -100] for start in range(0, GRID**2, GRID)]
    read = {tuple(dict.fromkeys(str(tokenizer.decode([name])) for name in row)) for row in rows}
    assert read == {(), ("4", "2")}
