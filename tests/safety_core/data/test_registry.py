from safety_core.data.registry import ADAPTERS
from safety_core.taxonomy import DEFAULT_TAXONOMY


def test_every_label_fits_the_default_taxonomy() -> None:
    for adapter in ADAPTERS.values():
        for kind, level in adapter.labels.values():
            assert kind in DEFAULT_TAXONOMY.types
            assert (kind == DEFAULT_TAXONOMY.safe_type) == (level == 0)
