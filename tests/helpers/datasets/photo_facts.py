"""Photographs with known content, for tests of samples and measurements."""

from collections.abc import Sequence
from pathlib import Path

from safety_core.small.alignment.naming.things import find_thing
from safety_core.small.alignment.samples.photos import Photo
from tests.helpers.datasets.world_folder import write_photo

NAMES = ("otter", "sailboat", "teapot", "violin", "cactus", "lantern")


def make_photos(folder: Path, names: Sequence[str] = NAMES) -> list[Photo]:
    """One photograph of each name, which shows nothing else, and a captioned one of two boys."""
    photos = []
    for number, name in enumerate(names):
        path = folder / f"{name}.jpg"
        write_photo(path, number)
        others = tuple(find_thing(other) for other in names if other != name)
        thing = find_thing(name)
        photos.append(Photo(id=f"imagenet/{name}", path=path, main=thing, shown=(thing,), absent=others))
    path = folder / "boys.jpg"
    write_photo(path, len(names))
    boy = find_thing("boy")
    boys = Photo(
        id="flickr8k/boys",
        path=path,
        main=None,
        shown=(boy,),
        absent=(find_thing("snow"), find_thing("horse")),
        captions=("Two boys fly a kite.", "Boys with a red kite."),
        person="boy",
        counts=((boy, 2),),
    )
    return [*photos, boys]
