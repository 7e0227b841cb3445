"""A plain folder of images: each subfolder names a category (a risk type); images at the top are safe."""

from pathlib import Path

from safety_core.data.adapters.tables.columns import TYPE_LABELS
from safety_core.data.raw_samples import DatasetAdapter, RawSample, RawSamples, ReadOptions
from safety_core.data.readers.files import find_images
from safety_core.data.record_place import RecordPlace


def _read_samples(root: Path, options: ReadOptions) -> RawSamples:
    for path in find_images(root):
        relative = path.relative_to(root)
        category = relative.parts[0] if len(relative.parts) > 1 else "safe"
        yield RawSample(
            id=relative.as_posix(),
            images=(path,),
            turns=(),
            category=category,
            image_category=category,
            place=RecordPlace(path),
        )


ADAPTER = DatasetAdapter(read=_read_samples, labels=TYPE_LABELS)
