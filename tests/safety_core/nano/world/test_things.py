from pathlib import Path

from safety_core.nano.world.scene import FONTS_HELD_OUT, FONTS_TRAINED, SHAPES
from safety_core.nano.world.things import ASSETS, RISKY_KINDS, THINGS, THINGS_BY_NAME, find_things, get_sprite_index


def test_the_world_is_large_enough() -> None:
    assert len(THINGS) >= 130
    assert sum(thing.kind != "clean" for thing in THINGS) >= 30


def test_every_kind_has_several_things() -> None:
    assert RISKY_KINDS == ("weapon", "drug", "gambling", "gore", "adult", "politics", "insult", "identity")
    assert all(len(find_things(kind)) >= 3 for kind in ("clean", *RISKY_KINDS))


def test_no_name_means_two_things() -> None:
    forms = [form for thing in THINGS for form in {thing.name, thing.plural}] + [*SHAPES, *(f"{s}s" for s in SHAPES)]
    assert len(set(forms)) == len(forms)
    assert len({thing.codepoint for thing in THINGS}) == len(THINGS)


def test_names_are_single_lower_case_words() -> None:
    assert all(form.isalpha() and form.islower() for thing in THINGS for form in (thing.name, thing.plural))


def test_a_thing_is_found_by_its_name() -> None:
    assert all(THINGS_BY_NAME[thing.name] is thing for thing in THINGS)
    assert [get_sprite_index(thing.name) for thing in THINGS] == list(range(len(THINGS)))


def test_every_font_ships_and_no_other() -> None:
    shipped = {file.stem for file in (ASSETS / "fonts").iterdir()}
    assert shipped == {*FONTS_TRAINED, *FONTS_HELD_OUT}
    assert not set(FONTS_TRAINED) & set(FONTS_HELD_OUT)


def test_licences_ship_beside_what_they_cover() -> None:
    overview = (ASSETS / "LICENCES.md").read_text(encoding="utf-8")
    assert "SIL OPEN FONT LICENSE Version 1.1" in (ASSETS / "OFL.txt").read_text(encoding="utf-8")
    assert "Bitstream Vera" in (ASSETS / "DEJAVU.txt").read_text(encoding="utf-8")
    texts = {"LICENCES.md", "OFL.txt", "DEJAVU.txt"}
    for file in (path for path in ASSETS.rglob("*") if path.is_file() and path.name not in texts):
        relative = file.relative_to(ASSETS)
        assert any(pattern in overview for pattern in _patterns(relative)), f"{relative} has no licence"


def _patterns(file: Path) -> tuple[str, ...]:
    return (f"`{file.as_posix()}`", f"`{(file.parent / f'*{file.suffix}').as_posix()}`")
