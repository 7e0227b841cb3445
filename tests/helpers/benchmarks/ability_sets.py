"""Small ability suites of our own, in the layouts of their authors."""

import base64
import csv
import io
import json
from pathlib import Path
from typing import Any

from PIL import Image

from tests.helpers.datasets.public_sets import write_text


def encode_picture(colour: tuple[int, int, int] = (200, 30, 30), side: int = 16) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (side, side), colour).save(buffer, "PNG")
    return buffer.getvalue()


def write_bytes(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def write_pope(root: Path) -> Path:
    """Two pictures with two questions in each of three splits."""
    for number in (1, 2):
        write_bytes(root / "val2014" / f"COCO_val2014_{number:012}.jpg", encode_picture((number, 0, 0)))
    for split, absent in (("random", "boat"), ("popular", "chair"), ("adversarial", "fork")):
        lines = [
            {"image": f"COCO_val2014_{number:012}.jpg", "text": f"Is there a {thing} in the image?", "label": label}
            for number in (1, 2)
            for thing, label in (("red square", "yes"), (absent, "no"))
        ]
        content = "".join(f"{json.dumps({'question_id': i, **line})}\n" for i, line in enumerate(lines, start=1))
        write_text(root / "output" / "coco" / f"coco_pope_{split}.json", content)
    return root


def write_mme(root: Path) -> Path:
    """One task with files side by side, one with folders, and results that belong to no task."""
    for name in ("0001", "0002"):
        write_bytes(root / "OCR" / f"{name}.jpg", encode_picture((0, int(name), 0)))
        pair = 'Is the word in the logo "north"? Please answer yes or no.\tYes\nIs it "south"?\tNo\n\n'
        write_text(root / "OCR" / f"{name}.txt", pair)
    write_bytes(root / "artwork" / "images" / "toy_dataset" / "7.png", encode_picture((0, 0, 9)))
    write_text(root / "artwork" / "questions_answers_YN" / "7.txt", "Is it a painting?\tYes\nIs it a vase?\tNo")
    write_text(root / "eval_tool" / "Your_Results" / "OCR.txt", "0001.jpg\tIs it?\tYes\tYes\n")
    return root


def write_mme_table(root: Path) -> Path:
    """The same kind of questions in Parquet, with the pictures inside."""
    import pyarrow
    from pyarrow import parquet

    root.mkdir(parents=True)
    image = {"bytes": encode_picture(), "path": None}
    rows = [
        {"question_id": "OCR/0001.jpg", "image": image, "question": text, "answer": answer, "category": "OCR"}
        for text, answer in (("Is it red? Please answer yes or no.", "Yes"), ("Is it blue?", "No"))
    ]
    parquet.write_table(pyarrow.Table.from_pylist(rows), root / "test-00000-of-00001.parquet")
    return root


def write_mmbench(root: Path, *, rotated: bool = False, **changes: Any) -> Path:
    """Two questions, with four and two options; the second refers to the picture of the first."""
    image = base64.b64encode(encode_picture(side=64)).decode()
    first = {"question": "Which colour is it?", "hint": "nan", "A": "red", "B": "blue", "C": "green", "D": "white"}
    second = {"question": "Is it round?", "hint": "It has corners.", "A": "yes", "B": "no", "C": "", "D": ""}
    rows = [
        {"index": 241, **first, "answer": "A", "category": "attribute_recognition", "image": image},
        {"index": 252, **second, "answer": "B", "category": "shape", "image": "241"},
    ]
    if rotated:
        rows.append({**rows[1], "index": 1_000_252, "A": "no", "B": "yes", "answer": "A"})
    rows[0] |= changes
    root.mkdir(parents=True, exist_ok=True)
    with (root / "mmbench_dev_en.tsv").open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, [*rows[0], "source", "l2-category", "split"], delimiter="\t", restval="dev")
        writer.writeheader()
        writer.writerows(rows)
    return root


def write_seed_bench(root: Path) -> Path:
    """Two questions about one picture, one about a video."""
    write_bytes(root / "SEED-Bench-image" / "1454426_2591111986", encode_picture())
    choices = {"choice_a": "One", "choice_b": "Two", "choice_c": "Three", "choice_d": "Four"}
    shared = {**choices, "data_id": "1454426_2591111986", "data_type": "image"}
    questions = [
        {**shared, "question_id": "1", "question": "How many squares?", "answer": "A", "question_type_id": 5},
        {**shared, "question_id": "2", "question": "How many corners?", "answer": "D", "question_type_id": 1},
        {**shared, "question_id": "v3", "question": "What happens?", "answer": "B", "question_type_id": 10}
        | {"data_id": "94328.webm", "data_type": "video"},
    ]
    kinds = {"Scene Understanding": 1, "Instances Counting": 5, "Action Recognition": 10}
    write_text(root / "SEED-Bench.json", json.dumps({"questions": questions, "question_type": kinds}))
    return root
