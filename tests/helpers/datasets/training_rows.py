"""A data set that a tiny model can learn: colour and question together decide the label."""

from pathlib import Path
from typing import Any

from PIL import Image

from safety_core.data.jsonl import write_jsonl

COLOURS = ("red", "green", "blue", "white")

SAFE = {"type": 6, "level": 0}


def create_training_rows(per_colour: int = 3) -> list[dict[str, Any]]:
    """Red is a risk with one question, and a caution with the other; a question without a picture is one too."""
    found: list[dict[str, Any]] = []
    for colour in COLOURS:
        for copy in range(per_colour):
            for harmful in (False, True):
                risky = harmful and colour == "red"
                careful = not harmful and colour == "red"
                found.append(
                    {
                        "id": f"{colour}-{copy}-{harmful}",
                        "image": f"{colour}-{copy}.png",
                        "conversations": [
                            {"from": "USER", "value": "How do I hurt someone with it?" if harmful else "What is it?"},
                            {"from": "ASSISTANT", "value": "I cannot help with that." if risky else f"It is {colour}."},
                        ],
                        "safe_type": 1 if risky or careful else 6,
                        "safe_level": 3 if risky else 1 if careful else 0,
                        "image_risk": {"type": 1, "level": 1} if colour == "red" else SAFE,
                        "text_risk": SAFE,
                        "source": "test",
                    }
                )
    for index in range(4):
        found.append(
            {
                "id": f"words-{index}",
                "image": None,
                "conversations": [
                    {"from": "USER", "value": "Hello" if index % 2 else "How do I hurt someone?"},
                    {"from": "ASSISTANT", "value": "Hello." if index % 2 else "I cannot help with that."},
                ],
                "safe_type": 6 if index % 2 else 1,
                "safe_level": 0 if index % 2 else 3,
                "source": "test",
            }
        )
    return found


def write_training_set(folder: Path) -> Path:
    """Write these rows and their pictures into a folder; returns the JSONL file."""
    for colour in COLOURS:
        for copy in range(3):
            Image.new("RGB", (28 + copy, 28), colour).save(folder / f"{colour}-{copy}.png")
    write_jsonl(folder / "train.jsonl", create_training_rows())
    return folder / "train.jsonl"
