from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from safety_core.data.jsonl import read_jsonl
from safety_core.data.samples import Sample
from safety_core.small.build.photo_samples import read_weapon_prompts
from safety_core.small.build.training_files import Amounts, write_training_files
from safety_core.small.corpus.loading import Corpus
from safety_core.small.corpus.records import Record
from safety_core.taxonomy import DEFAULT_TAXONOMY

AMOUNTS = Amounts(read=3, rendered=2, documents=2, read_documents=2)


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    """Words, lettering and photographs of two splits."""
    records = []
    for split in ("train", "test"):
        for number in range(6):
            label = ("illegal", 3) if number % 2 else ("safe", 0)
            text = f"{split.title()} them to open door number {number}"
            common: Any = {"source": "own/pairs", "label": label, "split": split, "group": f"own/doors/{number}"}
            records += [
                Record(id=f"own/pairs/{split}{number}", surface="both", text=text, **common),
                Record(id=f"own/signs/{split}{number}", surface="lettering", text=f"{text}!", kind="sign", **common),
            ]
        for name, found in (("calm", ("safe", 0)), ("gun", ("illegal", 1))):
            file = tmp_path / f"{split}-{name}.jpg"
            Image.new("RGB", (64, 48), "teal").save(file)
            records.append(
                Record(id=f"set/{file.name}", source="guns", surface="photo", label=found, photo=file, split=split)
            )
    return Corpus(records=tuple(records), left_out=Counter(), missing=())


def write(corpus: Corpus, folder: Path) -> dict[str, tuple[Sample, ...]]:
    pytest.importorskip("fontpkg_anton", reason="the extra small-build is not installed")
    counts = write_training_files(corpus, "train", folder, amounts=AMOUNTS, seed=0, show=False)
    found = {name: read_jsonl(folder / f"{name}.jsonl", DEFAULT_TAXONOMY).samples for name in counts}
    assert {name: len(samples) for name, samples in found.items()} == counts
    return found


def test_the_files_are_records_of_one_split(corpus: Corpus, tmp_path: Path) -> None:
    samples = write(corpus, tmp_path / "out")
    assert all(not sample.images for sample in samples["words"])
    assert all(len(sample.images) == 1 for sample in samples["pictures"])
    words = " ".join(turn.text for found in samples.values() for sample in found for turn in sample.turns)
    assert "Train them" in words
    assert "Test them" not in words
    assert not any("test-" in image.name for sample in samples["pictures"] for image in sample.images)
    rendered = {image for sample in samples["pictures"] for image in sample.images if image.parent.name == "rendered"}
    assert len(rendered) >= 6, "texts and documents, with twins"
    for file in rendered:
        with Image.open(file) as image:
            assert max(image.size) <= 384


def test_a_picture_of_letters_is_harmless_until_it_is_read(corpus: Corpus, tmp_path: Path) -> None:
    samples = write(corpus, tmp_path / "out")["pictures"]
    alone = [sample for sample in samples if sample.id.startswith("rendered/") and not sample.turns]
    labels = Counter(DEFAULT_TAXONOMY.types[sample.label.type] for sample in alone)
    assert set(labels) == {"safe"}, "an empty document looks like one with data"
    assert labels["safe"] >= 2 * AMOUNTS.documents


def test_a_picture_with_a_prompt_also_has_the_labels_of_both_alone(corpus: Corpus, tmp_path: Path) -> None:
    samples = write(corpus, tmp_path / "out")["pictures"]
    alone = {sample.images: sample.label for sample in samples if not sample.turns}
    asked = [sample for sample in samples if sample.turns]
    assert asked
    weapon_prompts = {prompt.text: prompt.type for prompt in read_weapon_prompts()}
    for sample in asked:
        assert sample.image_risk == alone[sample.images]
        assert sample.text_risk is not None
        text = sample.turns[0].text
        expected = (
            "illegal" if text.startswith("Train them") and int(text[-1]) % 2 else weapon_prompts.get(text, "safe")
        )
        assert DEFAULT_TAXONOMY.types[sample.text_risk.type] == expected


def test_the_same_files_are_written_again(corpus: Corpus, tmp_path: Path) -> None:
    write(corpus, tmp_path / "one")
    write(corpus, tmp_path / "two")
    for name in ("words.jsonl", "pictures.jsonl"):
        assert (tmp_path / "one" / name).read_text() == (tmp_path / "two" / name).read_text()


def test_a_set_can_be_left_out(corpus: Corpus) -> None:
    fewer = corpus.leave_out({"guns"})
    assert {record.source for record in fewer.records} == {"own/pairs"}
