import pytest

from safety_core.small.rendering.kinds import KINDS, Kind
from safety_core.small.rendering.layouts.table import LAYOUTS, list_layouts


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_layouts_for_training_and_others_for_tests(kind: Kind) -> None:
    assert len(list_layouts(kind, test=False)) >= 2
    assert len(list_layouts(kind, test=True)) >= 1


def test_no_layout_is_used_for_training_and_for_tests() -> None:
    layouts = [layout for some in LAYOUTS.values() for layout in some]
    assert {layout.draw for layout in layouts if layout.test}.isdisjoint(
        layout.draw for layout in layouts if not layout.test
    )
    assert len({layout.draw for layout in layouts}) >= 80
