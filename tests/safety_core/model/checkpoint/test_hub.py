import pytest

from safety_core.errors import CheckpointError
from safety_core.model.checkpoint import hub


def test_a_client_that_was_closed_under_a_download_is_an_unreachable_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    def download(*arguments: object, **options: object) -> str:
        raise RuntimeError("Cannot send a request, as the client has been closed.")

    monkeypatch.setattr(hub, "snapshot_download", download)
    with pytest.raises(CheckpointError, match="someone/model at 0123 is not on this machine"):
        hub.fetch_settings("someone/model", "0123")
