import json

import pytest

from safety_core.model.config import HeadConfig
from safety_core.nano.build.recipes import RECIPES, SHIPPED, SMALL, SMOKE, Recipe
from safety_core.training.config import TrainConfig


def test_every_size_is_named_by_its_flags() -> None:
    assert {name: recipe.flags for name, recipe in RECIPES.items()} == {
        "shipped": (),
        "small": ("--small",),
        "smoke": ("--smoke",),
    }


def test_only_what_ships_is_held_against_bars() -> None:
    assert [recipe.name for recipe in RECIPES.values() if recipe.has_bars] == ["shipped"]


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=RECIPES)
def test_a_recipe_is_json_and_trains(recipe: Recipe) -> None:
    assert json.loads(json.dumps(recipe.to_dict()))["name"] == recipe.name
    HeadConfig(**recipe.safety["head"])
    for stage, fields in ((1, recipe.head), (1, recipe.stage1), (2, recipe.stage2), (1, recipe.replies)):
        TrainConfig(backbone="b", data=("d",), out="o", stage=stage, **fields)


def test_smaller_sizes_print_the_same_table() -> None:
    assert SMALL.test == SHIPPED.test
    assert SMALL.safety == SHIPPED.safety
    for name in ("pictures", "safety_pictures", "harmless_pictures", "reply_pictures", "talk", "curve_pairs"):
        assert getattr(SMOKE, name) < getattr(SMALL, name) < getattr(SHIPPED, name)
    assert SMOKE.vision.steps < SMALL.vision.steps < SHIPPED.vision.steps
    assert SMOKE.language.steps < SMALL.language.steps < SHIPPED.language.steps


def test_recipes_differ() -> None:
    assert len({json.dumps(recipe.to_dict(), sort_keys=True) for recipe in RECIPES.values()}) == len(RECIPES)
