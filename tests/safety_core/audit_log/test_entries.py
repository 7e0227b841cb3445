from safety_core.audit_log.entries import format_time
from tests.helpers.datasets.audit_entries import FULL


def test_a_dict_holds_what_is_known() -> None:
    assert FULL.to_dict()["time"] == "2023-11-14T22:13:20.250Z"
    assert "reason" not in FULL.to_dict()


def test_moments_are_utc() -> None:
    assert format_time(0.9996) == "1970-01-01T00:00:00.999Z"
