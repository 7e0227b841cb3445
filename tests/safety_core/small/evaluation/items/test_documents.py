from pathlib import Path

from safety_core.small.evaluation.items.documents import list_document_items
from safety_core.small.evaluation.items.picture_folder import PictureFolder
from safety_core.small.rendering.documents.contents.document import DOCUMENT_KINDS, DocumentKind


class NamedPictures(PictureFolder):
    """Names files after what they would show, and draws nothing."""

    def draw_document(self, kind: DocumentKind, seed: int, country: str | None) -> Path | None:
        return Path(f"{kind}-{seed}-{country}")


def test_every_document_has_an_empty_twin_in_its_group(tmp_path: Path) -> None:
    items = list_document_items("test", NamedPictures(tmp_path, "test"), 2)
    assert len(items) == len(DOCUMENT_KINDS) * 2 * 2 * 2, "two of each kind, with and without data, two prompts"
    groups = {item.group for item in items}
    assert len(groups) == len(DOCUMENT_KINDS) * 2
    for group in groups:
        with_data, empty = (
            [item for item in items if item.group == group and item.is_risky is risky] for risky in (True, False)
        )
        assert [item.columns for item in with_data] == [("documents",)] * 2
        assert [item.columns for item in empty] == [("empty_documents", "harmless_lettering")] * 2
        assert with_data[0].prompt == empty[0].prompt == ""
        assert with_data[1].prompt
        assert str(empty[0].picture).endswith("None")
        assert not str(with_data[0].picture).endswith("None")
