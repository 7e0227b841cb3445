import pytest

from safety_core.data.registry import ADAPTERS, find_adapter
from safety_core.errors import ConfigError
from safety_core.taxonomy import DEFAULT_TAXONOMY


def test_every_label_fits_the_default_taxonomy() -> None:
    for adapter in ADAPTERS.values():
        for kind, level in adapter.labels.values():
            assert kind in DEFAULT_TAXONOMY.types
            assert (kind == DEFAULT_TAXONOMY.safe_type) == (level == 0)


def test_an_unknown_set_is_an_error_that_lists_the_known() -> None:
    assert find_adapter("csv") is ADAPTERS["csv"]
    with pytest.raises(ConfigError, match=r"'hatecheck', 'holisafe'.*got 'nothing'"):
        find_adapter("nothing")
