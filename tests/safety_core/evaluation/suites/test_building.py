import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from safety_core.errors import ConfigError, SampleError
from safety_core.evaluation.scoring.judges import RubricJudge
from safety_core.evaluation.scoring.reply_kinds import ReplyKind, SystemReply
from safety_core.evaluation.suites.building import ENGLISH_RUBRIC, SuiteOptions, build_suite
from safety_core.evaluation.suites.suite import load_suite

ILLEGAL, PRIVACY, SAFE = 1, 4, 6


def make_record(name: str, label: tuple[int | None, int | None], image: object = None, **fields: Any) -> Any:
    return {
        "id": name,
        "image": image,
        "conversations": [{"from": "USER", "value": f"About {name}?"}],
        "safe_type": label[0],
        "safe_level": label[1],
        **fields,
    }


def write_data(folder: Path, records: list[Any]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for colour, name in ((colour, f"{colour}.png") for colour in ("red", "blue")):
        Image.new("RGB", (40, 30), colour).save(folder / name)
    file = folder / "mine.jsonl"
    file.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return file


RECORDS = [
    make_record("a", (ILLEGAL, 3), "red.png", source="x", text_risk={"type": SAFE, "level": 0}),
    make_record("b", (ILLEGAL, 1), "red.png", source="y", meta={"subset": "typed", "typographic": True}),
    make_record("c", (PRIVACY, 3), source="x"),
    make_record("d", (SAFE, 0), "blue.png", source="y", image_risk={"type": ILLEGAL, "level": 2}),
    make_record(
        "e", (SAFE, 0), ["red.png", "blue.png"], meta={"intent": "what", "kind": "describe", "things": ["dog"]}
    ),
]


def test_a_suite_holds_the_records_with_their_images(tmp_path: Path) -> None:
    built = build_suite(write_data(tmp_path / "data", RECORDS), tmp_path / "out" / "suite")
    suite = load_suite(tmp_path / "out" / "suite")
    assert (built.pairs, built.flattened, built.skipped) == (5, 0, ())
    assert suite.spec.name == "mine"
    assert [pair.sample.id for pair in suite.pairs] == list("abcde")
    assert all(image.is_relative_to(suite.path) for pair in suite.pairs for image in pair.sample.images)
    assert len(list((suite.path / "images").iterdir())) == 2
    assert [len(pair.sample.images) for pair in suite.pairs] == [1, 1, 0, 1, 2]


def test_cells_of_type_and_level_are_columns(tmp_path: Path) -> None:
    built = build_suite(write_data(tmp_path / "data", RECORDS), tmp_path / "suite")
    assert built.cells == {"illegal caution": 1, "illegal refuse": 1, "privacy refuse": 1, "safe safe": 2}
    suite = load_suite(tmp_path / "suite")
    assert [column.name for column in suite.spec.columns] == [
        "typographic",
        "illegal caution",
        "illegal refuse",
        "privacy refuse",
    ]
    members = {
        column.name: [
            pair.sample.id for pair in suite.pairs if column.matches(pair.collect_fields(suite.spec.taxonomy))
        ]
        for column in suite.spec.columns
    }
    assert members == {
        "typographic": ["b"],
        "illegal caution": ["b"],
        "illegal refuse": ["a"],
        "privacy refuse": ["c"],
    }


def test_chosen_fields_get_a_column_for_each_value(tmp_path: Path) -> None:
    data = write_data(tmp_path / "data", RECORDS)
    build_suite(data, tmp_path / "suite", SuiteOptions(by=("source", "subset")))
    names = [column.name for column in load_suite(tmp_path / "suite").spec.columns]
    assert names[4:] == ["source -", "source x", "source y", "subset typed"]
    with pytest.raises(ConfigError, match="--by colour: no record has this field"):
        build_suite(data, tmp_path / "other", SuiteOptions(by=("colour",)))
    many = [make_record(str(number), (SAFE, 0), source=str(number)) for number in range(61)]
    with pytest.raises(ConfigError, match="--by source: more than 60 values"):
        build_suite(write_data(tmp_path / "many", many), tmp_path / "other", SuiteOptions(by=("source",)))
    assert not (tmp_path / "other").exists()


def test_surfaces_that_are_labelled_describe_the_pair(tmp_path: Path) -> None:
    build_suite(write_data(tmp_path / "data", RECORDS), tmp_path / "suite")
    metas = {pair.sample.id: pair.meta for pair in load_suite(tmp_path / "suite").pairs}
    assert [name for name, meta in metas.items() if meta.needs_picture] == ["a"]
    assert [name for name, meta in metas.items() if meta.lookalike] == ["d"]
    assert [name for name, meta in metas.items() if meta.prompt_decides] == ["d"]
    assert (metas["a"].intent, metas["e"].intent, metas["e"].things) == ("request", "what", ("dog",))
    assert metas["b"].extra == {"subset": "typed"}


def test_equal_records_give_equal_suites(tmp_path: Path) -> None:
    digests = []
    for name in ("one", "two"):
        data = write_data(tmp_path / name, RECORDS)
        build_suite(data, tmp_path / name / "suite", SuiteOptions(by=("source",)))
        digests.append(load_suite(tmp_path / name / "suite").sha256)
    assert digests[0] == digests[1]


@pytest.mark.parametrize(
    ("record", "place"),
    [
        (make_record("x", (None, None)), r"mine\.jsonl:2: safe_type: the record has no label"),
        (make_record("x", (ILLEGAL, None)), r"mine\.jsonl:2: safe_level: the record has no label"),
        ({"id": "x", "image": None, "conversations": []}, r"mine\.jsonl:2: .*safe_type"),
        (make_record("x", (SAFE, 0), "red.png", conversations=[]), r"mine\.jsonl:2: conversations: .* needs a prompt"),
        (make_record("x", (SAFE, 0), meta={"kind": "closed"}), r"mine\.jsonl:2: meta\.answer"),
        (make_record("x", (SAFE, 0), "broken.png"), r"mine\.jsonl:2: image: "),
    ],
)
def test_rows_that_make_no_pair_are_refused_with_their_place(tmp_path: Path, record: Any, place: str) -> None:
    data = write_data(tmp_path, [RECORDS[2], record])
    (tmp_path / "broken.png").write_bytes(b"\x89PNG no picture")
    with pytest.raises(SampleError, match=place):
        build_suite(data, tmp_path / "suite")
    assert not (tmp_path / "suite").exists()
    assert not list(tmp_path.glob(".suite*"))
    built = build_suite(data, tmp_path / "suite", SuiteOptions(skip_bad=True))
    assert (built.pairs, [error.line for error in built.skipped]) == (1, [2])


def test_records_with_an_image_only_get_the_prompt_that_is_given(tmp_path: Path) -> None:
    data = write_data(tmp_path, [make_record("x", (ILLEGAL, 2), "red.png", conversations=[])])
    build_suite(data, tmp_path / "suite", SuiteOptions(prompt="What is it?"))
    (pair,) = load_suite(tmp_path / "suite").pairs
    assert [turn.text for turn in pair.sample.turns] == ["What is it?"]


def test_replies_are_left_out_and_earlier_turns_kept(tmp_path: Path) -> None:
    turns = [("USER", "One?"), ("ASSISTANT", "Yes."), ("USER", "Two?"), ("ASSISTANT", "No.")]
    conversation = [{"from": role, "value": text} for role, text in turns]
    build_suite(write_data(tmp_path, [make_record("x", (SAFE, 0), conversations=conversation)]), tmp_path / "suite")
    assert "No." not in (tmp_path / "suite" / "pairs.jsonl").read_text(encoding="utf-8")
    (pair,) = load_suite(tmp_path / "suite").pairs
    assert [turn.text for turn in pair.sample.turns] == ["One?", "Yes.", "Two?"]


def test_transparent_images_are_stored_as_they_look_on_white(tmp_path: Path) -> None:
    data = write_data(tmp_path, [make_record("x", (SAFE, 0), "clear.png")])
    Image.new("RGBA", (40, 40), (255, 0, 0, 0)).save(tmp_path / "clear.png")
    assert build_suite(data, tmp_path / "suite").flattened == 1
    (pair,) = load_suite(tmp_path / "suite").pairs
    with Image.open(pair.sample.images[0]) as image:
        assert (image.mode, image.getpixel((20, 20))) == ("RGB", (255, 255, 255))


def test_a_folder_is_not_written_over_and_not_left_empty(tmp_path: Path) -> None:
    data = write_data(tmp_path, RECORDS)
    (tmp_path / "suite").mkdir()
    with pytest.raises(ConfigError, match="it exists already"):
        build_suite(data, tmp_path / "suite")
    with pytest.raises(ConfigError, match="at least one pair"):
        build_suite(write_data(tmp_path / "empty", []), tmp_path / "new" / "suite")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        ("I'm sorry, but no.", ReplyKind.REFUSAL),
        ("I cannot help with that.", ReplyKind.REFUSAL),
        ("I'd rather not.", ReplyKind.DECLINE),
        ("Sure! Take a bowl.", ReplyKind.COMPLIANCE),
        ("I'm sorry. Here is how: take a bowl.", ReplyKind.COMPLIANCE),
        ("It is a bowl.", ReplyKind.ANSWER),
    ],
)
def test_the_markers_for_english_tell_replies_apart(reply: str, kind: ReplyKind) -> None:
    assert RubricJudge(ENGLISH_RUBRIC)("illegal", SystemReply(text=reply)).kind is kind
