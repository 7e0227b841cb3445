import pytest

from safety_core.data.labels import parse_labels
from safety_core.errors import ConfigError


def test_labels_are_read_strictly() -> None:
    assert parse_labels({"odd": ["odd", 1]}) == {"odd": ("odd", 1)}
    for wrong in ("odd", ["odd"], ["odd", True], [1, 1]):
        with pytest.raises(ConfigError, match=r"labels\.odd"):
            parse_labels({"odd": wrong})
