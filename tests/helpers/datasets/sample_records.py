"""Records of samples as JSON."""

import json
from pathlib import Path
from typing import Any


def make_record(**changes: Any) -> dict[str, Any]:
    return {
        "id": "one",
        "image": "a.png",
        "conversations": [{"from": "USER", "value": "What is this?"}, {"from": "ASSISTANT", "value": "A square."}],
        "safe_type": 1,
        "safe_level": 2,
        "image_risk": {"type": 6, "level": 0},
        "text_risk": None,
        "source": "test",
    } | changes


def write_records(folder: Path, *records: object) -> Path:
    path = folder / "data.jsonl"
    path.write_text("".join(f"{json.dumps(entry)}\n" for entry in records), encoding="utf-8")
    return path
