"""Each set in miniature, laid out as its authors unpack it, becomes records that our own reader accepts."""

import json
from io import BytesIO
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from safety_core.data.adapters import ADAPTERS, convert, labels_from
from safety_core.data.samples import Sample, read_jsonl
from safety_core.errors import ConfigError, SampleError
from safety_core.taxonomy import DEFAULT_TAXONOMY, Taxonomy


def picture(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 8)).save(path)


def text(path: Path, content: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")


def converted(name: str, root: Path, tmp_path: Path) -> list[Sample]:
    out = tmp_path / "out" / f"{name}.jsonl"
    result = convert(name, root, out)
    samples = read_jsonl(out, DEFAULT_TAXONOMY).samples
    assert result.count == len(samples)
    assert sum(result.by_type.values()) == len(samples)
    assert all(sample.source == name for sample in samples)
    return list(samples)


def labels(samples: list[Sample]) -> list[tuple[str, int]]:
    return [(DEFAULT_TAXONOMY.types[sample.label.type], sample.label.level) for sample in samples]


def test_vlguard(tmp_path: Path) -> None:
    root = tmp_path / "vlguard"
    picture(root / "train" / "bad_ads" / "1.png")
    picture(root / "train" / "bad_ads" / "2.png")
    rows = [
        {
            "id": "1",
            "image": "bad_ads/1.png",
            "safe": False,
            "harmful_category": "deception",
            "harmful_subcategory": "disinformation",
            "instr-resp": [{"instruction": "Is it true?", "response": "No."}],
        },
        {
            "id": "2",
            "image": "bad_ads/2.png",
            "safe": True,
            "instr-resp": [
                {"safe_instruction": "What is it?", "response": "A dog."},
                {"unsafe_instruction": "Hurt it", "response": "I cannot."},
            ],
        },
    ]
    text(root / "train.json", json.dumps(rows))
    samples = converted("vlguard", root, tmp_path)
    assert labels(samples) == [("misleading", 1), ("safe", 0), ("illegal", 3)]
    assert samples[2].answer == "I cannot."
    assert samples[2].image_risk is not None
    assert samples[2].image_risk.type == DEFAULT_TAXONOMY.safe_index


def test_rtvlm(tmp_path: Path) -> None:
    root = tmp_path / "rtvlm"
    picture(root / "Safety" / "Politics" / "img" / "a.jpg")
    picture(root / "Jailbreak" / "img" / "3.jpg")
    politics = {"id": "a.jpg", "prompt": ["Who is he?"], "refused_to_answer": "Proceed with Caution"}
    text(root / "Safety" / "Politics" / "politics.jsonl", json.dumps(politics))
    jailbreak = [
        {"index": 3, "instruction": "Do it", "refused_to_answer": ["Refuse to Answer"]},
        {"index": 3, "instruction": "Describe", "refused_to_answer": "Safe to Answer"},
    ]
    text(root / "Jailbreak" / "jailbreak.jsonl", "\n".join(json.dumps(row) for row in jailbreak))
    text(root / "__MACOSX" / "Jailbreak" / "._jailbreak.jsonl", "\0\5\26\7")
    samples = converted("rtvlm", root, tmp_path)
    assert labels(samples) == [("illegal", 3), ("safe", 0), ("politics", 1)]
    assert [sample.turns[0].text for sample in samples] == ["Do it", "Describe", "Who is he?"]


def vlguard(root: Path, split: str, rows: list[dict[str, Any]]) -> None:
    for row in rows:
        picture(root / split / row["image"])
    text(root / f"{split}.json", json.dumps(rows))


def test_vlguards_test_split_has_answers_that_are_empty(tmp_path: Path) -> None:
    pairs = [
        {"safe_instruction": "What is it?", "response": ""},
        {"unsafe_instruction": "Hurt it", "response": None},
    ]
    rows = [
        {"id": "1", "image": "a/1.png", "safe": True, "instr-resp": pairs},
        {
            "id": "2",
            "image": "a/2.png",
            "safe": False,
            "harmful_category": "privacy",
            "harmful_subcategory": "personal data",
            "instr-resp": [{"instruction": "Who?", "response": " "}],
        },
    ]
    vlguard(tmp_path / "vlguard", "test", rows)
    samples = converted("vlguard", tmp_path / "vlguard", tmp_path)
    assert [sample.answer for sample in samples] == [None, None, None]
    assert labels(samples) == [("safe", 0), ("illegal", 3), ("privacy", 3)]


def test_vlguards_splits_are_told_apart(tmp_path: Path) -> None:
    root, out = tmp_path / "vlguard", tmp_path / "out.jsonl"
    for split in ("train", "test"):
        pair = {"safe_instruction": f"In {split}?", "response": "Yes."}
        vlguard(root, split, [{"id": "1", "image": "1.png", "safe": True, "instr-resp": [pair]}])
    for split in ("train", "test"):
        convert("vlguard", root, out, split=split)
        (sample,) = read_jsonl(out, DEFAULT_TAXONOMY).samples
        assert sample.turns[0].text == f"In {split}?"
    for name, wrong in (("vlguard", "validation"), ("xstest", "train")):
        with pytest.raises(ConfigError, match="split"):
            convert(name, root, out, split=wrong)


@pytest.mark.parametrize(
    ("told", "label"),
    [
        ({"harmful_category": "privacy", "harmful_subcategory": "Personal Data"}, ("privacy", 3)),
        ({"harmful_category": "hateful speech", "harmful_subcategory": "race"}, ("fairness", 2)),
        ({"harmful_subcategory": "professional advice"}, ("misleading", 2)),
        ({"harmful_subcategory": "disinformation"}, ("misleading", 2)),
        ({"harmful_subcategory": "political"}, ("politics", 3)),
        ({"harmful_category": "deception", "harmful_subcategory": ""}, ("misleading", 2)),
        ({"harmful_subcategory": "something new"}, ("illegal", 3)),
        ({"harmful_subcategory": None}, ("illegal", 3)),
    ],
)
def test_an_unsafe_instruction_is_what_its_category_says(
    tmp_path: Path, told: dict[str, Any], label: tuple[str, int]
) -> None:
    pairs = [
        {"safe_instruction": "What is it?", "response": "A card."},
        {"unsafe_instruction": "Use it", "response": "No."},
    ]
    rows = [{"id": "1", "image": "1.png", "safe": True, "instr-resp": pairs, **told}]
    vlguard(tmp_path / "vlguard", "train", rows)
    assert labels(converted("vlguard", tmp_path / "vlguard", tmp_path)) == [("safe", 0), label]
    mine = {"unsafe instruction": ("illegal", 2)}
    convert("vlguard", tmp_path / "vlguard", tmp_path / "mine.jsonl", labels=mine)
    assert labels(list(read_jsonl(tmp_path / "mine.jsonl", DEFAULT_TAXONOMY).samples))[1] == ("illegal", 2)


def test_rtvlm_folders_without_advice(tmp_path: Path) -> None:
    data = tmp_path / "rtvlm" / "data"
    picture(data / "Captcha" / "img" / "7.png")
    picture(data / "Face" / "img" / "f.png")
    picture(data / "VisualOrderA" / "img" / "1.jpg")
    picture(data / "VisualOrderA" / "img" / "2.jpg")
    picture(data / "Jailbreak" / "img" / "3.jpg")
    text(data / "Captcha" / "captcha.jsonl", json.dumps({"index": 7, "instruction": "Read it"}))
    text(data / "Face" / "face_diffusion.jsonl", json.dumps({"id": "f.png", "prompt": "Describe"}))
    order = {"id": ["1.jpg", "2.jpg"], "question": "Which?", "refused_to_answer": "Safe to Answer"}
    text(data / "VisualOrderA" / "order_A.jsonl", json.dumps(order))
    more = {"index": 3, "instruction": "Do it", "refused_to_answer": "Refuse to Answer"}
    text(data / "Jailbreak2" / "jailbreak.jsonl", json.dumps(more))
    samples = converted("rtvlm", tmp_path / "rtvlm", tmp_path)
    assert labels(samples) == [("illegal", 1), ("fairness", 1), ("illegal", 3), ("safe", 0)]
    assert samples[2].images[0].resolve() == (data / "Jailbreak" / "img" / "3.jpg").resolve()
    assert len(samples[3].images) == 2


def encoded_picture(colour: str) -> bytes:
    buffer = BytesIO()
    Image.new("RGB", (8, 8), colour).save(buffer, "PNG")
    return buffer.getvalue()


def parquet(path: Path, rows: list[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows), path)


def spa_row(colour: str, **more: str) -> dict[str, Any]:
    return {"image": {"bytes": encoded_picture(colour), "path": f"{colour}.png"}, "question": f"Why {colour}?", **more}


def test_spa_vl_as_parquet(tmp_path: Path) -> None:
    root = tmp_path / "spa"
    rows = [
        spa_row("red", chosen="No.", rejected="So.", class1="Malicious Use", class2="x", class3="y"),
        spa_row("blue", chosen="", rejected="So.", class1="Information & Safety Harms"),
        spa_row("red", chosen="No.", rejected="So.", class1="representation_toxicity_harms"),
    ]
    parquet(root / "validation" / "validation-00000-of-00001.parquet", rows)
    parquet(root / "test" / "harm-00000-of-00001.parquet", [spa_row("green", class1="Misinformation Harms")])
    parquet(root / "data" / "train-00000-of-00001.parquet", [spa_row("white", chosen="No.", rejected="So.")])
    out = tmp_path / "new" / "spa.jsonl"
    assert convert("spa-vl", root, out, split="validation").count == 3
    samples = list(read_jsonl(out, DEFAULT_TAXONOMY).samples)
    assert labels(samples) == [("illegal", 3), ("privacy", 3), ("fairness", 2)]
    assert [sample.answer for sample in samples] == ["No.", None, "No."]
    assert samples[0].images == samples[2].images != samples[1].images
    assert samples[1].images[0].read_bytes() == encoded_picture("blue")
    assert convert("spa-vl", root, out, split="harm").count == 1
    # The training split does not say what its questions are about: somebody must.
    with pytest.raises(ConfigError, match=r"'unclassified' has no label.*--labels"):
        convert("spa-vl", root, tmp_path / "other" / "train.jsonl", split="train")
    assert not (tmp_path / "other").exists()
    given = {"unclassified": ("illegal", 2)}
    assert convert("spa-vl", root, out, split="train", labels=given).by_type == {"illegal": 1}


def test_pictures_of_a_conversion_that_failed_go_again(tmp_path: Path) -> None:
    bad = {"image": {"bytes": None, "path": None}, "question": "Why?", "class1": "Malicious Use"}
    rows = [spa_row("red", class1="Malicious Use"), bad]
    parquet(tmp_path / "spa" / "test-0.parquet", rows)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(SampleError, match=r"test-0\.parquet:2: image"):
        convert("spa-vl", tmp_path / "spa", tmp_path / "deep" / "new" / "out.jsonl")
    assert sorted(tmp_path.rglob("*")) == before
    report = convert("spa-vl", tmp_path / "spa", tmp_path / "out.jsonl", skip_bad=True)
    assert (report.count, len(report.skipped)) == (1, 1)
    (tmp_path / "spa" / "test-0.parquet").write_bytes(b"no table")
    with pytest.raises(SampleError, match="cannot be read as Parquet"):
        convert("spa-vl", tmp_path / "spa", tmp_path / "out.jsonl")


@pytest.mark.parametrize("name", sorted(ADAPTERS))
def test_a_wrong_folder_is_an_error(name: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    text(tmp_path / "other" / "notes.txt", "nothing of the kind")
    text(tmp_path / "file", "")
    for wrong in ("empty", "other", "gone", "file"):
        with pytest.raises((ConfigError, SampleError), match=wrong):
            convert(name, tmp_path / wrong, tmp_path / "new" / "out.jsonl")
        assert not (tmp_path / "new").exists()


def test_missing_pictures_are_named(tmp_path: Path) -> None:
    header = "dataset,category_id,task_id,category_name,question,instruction\n"
    rows = "".join(f"safebench,1,{task},Illegal Activities,How?,Steps to.\n" for task in (1, 2, 3))
    text(tmp_path / "figstep" / "question" / "safebench.csv", header + rows)
    picture(tmp_path / "figstep" / "images" / "SafeBench" / "query_ForbidQI_1_2_6.png")
    with pytest.raises(SampleError, match=r"safebench\.csv:2: image: .*query_ForbidQI_1_1_6\.png does not exist"):
        convert("figstep", tmp_path / "figstep", tmp_path / "out.jsonl")
    report = convert("figstep", tmp_path / "figstep", tmp_path / "out.jsonl", skip_bad=True)
    assert report.count == 1
    assert [error.line for error in report.skipped] == [2, 4]
    assert "query_ForbidQI_1_3_6.png" in str(report.skipped[1])


def test_records_that_are_none_of_the_sets_can_be_left_out(tmp_path: Path) -> None:
    root = tmp_path / "rtvlm"
    picture(root / "Politics" / "a.jpg")
    good = json.dumps({"id": "a.jpg", "prompt": ["Who\u2028is he?"]}, ensure_ascii=False)
    bad = ["{", "[]", "{}", json.dumps({"id": "b.jpg", "prompt": "Who?"}), json.dumps({"id": "a.jpg", "prompt": 7})]
    text(root / "Politics" / "politics.jsonl", "\n".join([good, *bad]))
    with pytest.raises(SampleError, match=r"politics\.jsonl:2"):
        convert("rtvlm", root, tmp_path / "out.jsonl")
    report = convert("rtvlm", root, tmp_path / "out.jsonl", skip_bad=True)
    assert (report.count, [error.line for error in report.skipped]) == (1, [2, 3, 4, 5, 6])
    (root / "Politics" / "a.jpg").unlink()
    with pytest.raises(SampleError, match=r"no record of rtvlm was found, 6 were skipped"):
        convert("rtvlm", root, tmp_path / "out.jsonl", skip_bad=True)


def test_records_of_the_same_name_stay_apart(tmp_path: Path) -> None:
    turns = [{"from": "human", "value": "What?"}, {"from": "gpt", "value": "A cat."}]
    rows = [{"id": "x", "conversations": turns}] * 2
    text(tmp_path / "llava" / "mix.json", json.dumps(rows))
    assert len(converted("llava-instruct", tmp_path / "llava", tmp_path)) == 2


def test_spa_vl(tmp_path: Path) -> None:
    root = tmp_path / "spa"
    picture(root / "1.png")
    row = {"image": "1.png", "question": "How?", "chosen": "No.", "rejected": "So.", "class1": "Malicious Use"}
    text(root / "train.jsonl", json.dumps(row))
    (sample,) = converted("spa-vl", root, tmp_path)
    assert labels([sample]) == [("illegal", 3)]
    assert sample.answer == "No."


def test_mm_safetybench(tmp_path: Path) -> None:
    root = tmp_path / "mm"
    for kind in ("SD", "SD_TYPO", "TYPO"):
        picture(root / "imgs" / "02-HateSpeech" / kind / "0.jpg")
    question = {"Question": "q", "Rephrased Question": "typed", "Rephrased Question(SD)": "drawn"}
    text(root / "processed_questions" / "02-HateSpeech.json", json.dumps({"0": question}))
    samples = converted("mm-safetybench", root, tmp_path)
    assert labels(samples) == [("insults_bullying", 2)] * 3
    assert [sample.turns[0].text for sample in samples] == ["drawn", "typed", "typed"]


def test_figstep(tmp_path: Path) -> None:
    root = tmp_path / "figstep"
    picture(root / "images" / "SafeBench" / "query_ForbidQI_1_2_6.png")
    header = "dataset,category_id,task_id,category_name,question,instruction\n"
    text(root / "question" / "safebench.csv", header + 'safebench,1,2,Illegal Activities,"How, so?",Steps to.\n')
    (sample,) = converted("figstep", root, tmp_path)
    assert labels([sample]) == [("illegal", 3)]
    assert sample.text_risk is not None
    assert sample.text_risk.level == 0


def test_llava_instruct(tmp_path: Path) -> None:
    root = tmp_path / "llava"
    picture(root / "1.jpg")
    turns = [
        {"from": "human", "value": "<image>\nWhat?"},
        {"from": "gpt", "value": "A cat."},
        {"from": "human", "value": "Where?"},
        {"from": "gpt", "value": "Here."},
    ]
    text(root / "mix.json", json.dumps([{"id": "x", "image": "1.jpg", "conversations": turns}]))
    first, second = converted("llava-instruct", root, tmp_path)
    assert first.turns[0].text == "What?"
    assert [turn.text for turn in second.conversation] == ["What?", "A cat.", "Where?", "Here."]
    assert labels([first, second]) == [("safe", 0)] * 2


def test_xstest(tmp_path: Path) -> None:
    root = tmp_path / "xstest"
    rows = "id,type,prompt,focus,note\n1,homonyms,How do I kill a process?,,\n2,contrast_discr,Why are they worse?,,\n"
    text(root / "xstest_prompts.csv", rows)
    samples = converted("xstest", root, tmp_path)
    assert labels(samples) == [("safe", 0), ("fairness", 2)]
    assert all(not sample.images for sample in samples)


def test_folder(tmp_path: Path) -> None:
    root = tmp_path / "folder"
    picture(root / "plain.png")
    picture(root / "privacy" / "card.png")
    text(root / "__MACOSX" / "privacy" / "._card.png", "no picture")
    text(root / "privacy" / "._card.png", "no picture")
    picture(root / ".ipynb_checkpoints" / "plain-checkpoint.png")
    samples = converted("folder", root, tmp_path)
    assert labels(samples) == [("safe", 0), ("privacy", 3)]
    assert [sample.id for sample in samples] == ["plain.png", "privacy/card.png"]


def test_labels_and_taxonomy_are_the_users_to_choose(tmp_path: Path) -> None:
    root = tmp_path / "folder"
    picture(root / "odd" / "1.png")
    taxonomy = Taxonomy(types=("fine", "odd", "bad"), levels=("none", "some"), safe_type="fine")
    out = tmp_path / "out.jsonl"
    convert("folder", root, out, taxonomy=taxonomy, labels={"odd": ("odd", 1)})
    assert read_jsonl(out, taxonomy).samples[0].label.type == 1
    with pytest.raises(ConfigError, match="'odd' has no label"):
        convert("folder", root, out, taxonomy=taxonomy)
    with pytest.raises(ConfigError, match="not in the taxonomy"):
        convert("folder", root, out, taxonomy=taxonomy, labels={"odd": ("strange", 1)})


def test_an_unknown_set_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="vlguard"):
        convert("nothing", tmp_path, tmp_path / "out.jsonl")


@pytest.mark.parametrize("name", ["vlguard", "figstep", "xstest"])
def test_a_set_that_is_not_there_is_an_error(tmp_path: Path, name: str) -> None:
    with pytest.raises(SampleError, match="none of"):
        convert(name, tmp_path, tmp_path / "out.jsonl")


def test_every_label_fits_the_default_taxonomy() -> None:
    for adapter in ADAPTERS.values():
        for kind, level in adapter.labels.values():
            assert kind in DEFAULT_TAXONOMY.types
            assert (kind == DEFAULT_TAXONOMY.safe_type) == (level == 0)


def test_labels_are_read_strictly() -> None:
    assert labels_from({"odd": ["odd", 1]}) == {"odd": ("odd", 1)}
    for wrong in ("odd", ["odd"], ["odd", True], [1, 1]):
        with pytest.raises(ConfigError, match=r"labels\.odd"):
            labels_from({"odd": wrong})
