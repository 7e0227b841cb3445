"""A tiny bare model over the convolutional tower, and a folder of photographs that names the tower's classes."""

from pathlib import Path

from safety_core.model.safe_llava import SafeLlava
from safety_core.small.alignment.naming.things import Thing, find_thing
from safety_core.small.alignment.projector.bare_model import load_bare_model
from tests.helpers.datasets.world_folder import write_photo, write_rows
from tests.helpers.models.tiny_convolutional import CLASSES, write_convolutional_backbone

NAMES = ("otter", "sailboat", "teapot", "violin", "cactus", "lantern", "anvil", "beetle", "cradle", "dome")
assert len(NAMES) == CLASSES


def make_bare_model(folder: Path) -> SafeLlava:
    """Write and load the backbone."""
    return load_bare_model(write_convolutional_backbone(folder))


def list_tiny_classes() -> tuple[Thing, ...]:
    """Names of the tower's classes."""
    return tuple(map(find_thing, NAMES))


def write_photographs(root: Path) -> Path:
    """Write a folder of sets with one photograph of each class, and captioned ones; returns it."""
    rows: list[dict[str, object]] = [
        {"file": f"photos/imagenet/n{number:04}.jpg", "set": "imagenet", "label": name}
        for number, name in enumerate(NAMES)
    ]
    for number in range(6):
        captions = [f"Two boys with kite {number} fly it .", f"Two boys and the red kite {number} ."]
        rows.append({"file": f"photos/flickr/{number}.jpg", "set": "flickr8k", "captions": captions})
    write_rows(root / "photos.jsonl", rows)
    for seed, row in enumerate(rows):
        write_photo(root / str(row["file"]), seed)
    return root
