"""The lettering of samples is read as in serving, once per image."""

from dataclasses import replace
from pathlib import Path

import pytest

from safety_core.data.sample_images import list_image_refs
from safety_core.data.samples import Sample
from safety_core.errors import ConfigError, SampleError
from safety_core.evaluation.scoring.picture_readings import create_sample_reader, read_images
from safety_core.evaluation.suites.suite import Suite
from safety_core.inputs.images.views import CLIP_MEAN
from safety_core.lettering.bounded_reader import BoundedReader
from tests.helpers.engine.readers import FakeReader


@pytest.fixture
def sample(varied_suite: Suite) -> Sample:
    return next(pair.sample for pair in varied_suite.pairs if pair.sample.images)


def test_each_image_is_read_once(sample: Sample) -> None:
    reader = FakeReader(texts=["Mind the gap"])
    refs = [*list_image_refs([sample]), *list_image_refs([sample])]
    readings = read_images(BoundedReader(reader), refs, CLIP_MEAN)
    assert [line.text for reading in readings for line in reading.lines] == ["Mind the gap"] * len(refs)
    assert len(reader.sizes) == len(set(sample.images))


def test_a_file_that_is_no_image_is_an_error_that_names_the_record(sample: Sample, tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"no image")
    refs = list(list_image_refs([replace(sample, images=(tmp_path / "broken.png",))]))
    with pytest.raises(SampleError, match="image"):
        read_images(BoundedReader(FakeReader()), refs, CLIP_MEAN)


def test_a_checkpoint_without_a_reader_reads_nothing() -> None:
    assert create_sample_reader(None) is None
    with pytest.raises(ConfigError, match="tesseract"):
        create_sample_reader("tesseract")
