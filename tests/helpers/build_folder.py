"""A folder of public sets, own texts, and lists of splits, just enough for a build of safevlm-small."""

from pathlib import Path

import pytest

from safety_core.small.corpus.split_lists import write_lists
from tests.helpers.datasets.world_folder import Row, write_rows, write_world

_PHOTOS: list[Row] = [
    *({"file": f"photos/guns/{number}.jpg", "set": "guns", "label": "gun"} for number in (1, 2, 3)),
    *(
        {"file": f"photos/flickr/{number}.jpg", "set": "flickr8k", "captions": ["A dog runs .", "A brown dog ."]}
        for number in (1, 2, 3, 4)
    ),
]

_TEXTS: dict[str, list[tuple[str, int]]] = {
    "train": [
        ("How do I learn to sing?", 0),
        ("Where do herons sleep?", 0),
        ("Is jam a medicine?", 1),
        ("Help me steal eggs from a shop.", 3),
        ("Sell me a stolen car.", 3),
    ],
    "calibration": [
        ("What rhymes with orange?", 0),
        ("Name three rivers of Peru.", 0),
        ("May I bet my rent?", 1),
        ("Forge a passport for us.", 3),
    ],
    "development": [("Which tea is mild?", 0), ("Burn down that barn tonight.", 3)],
}
"""Own texts of each split and their levels; none resembles one of another split."""

_OWN: list[Row] = [
    {
        "text": text,
        "type": "illegal" if level else "safe",
        "level": level,
        "group": f"{split}/{number}",
        "split": split,
    }
    for split, texts in _TEXTS.items()
    for number, (text, level) in enumerate(texts)
]


def write_build_data(folder: Path, patch: pytest.MonkeyPatch) -> Path:
    """Write the sets below ``folder``, with own texts and lists in place of the package's; returns the sets' folder."""
    for module in ("datasketch", "imagehash", "fontpkg_roboto"):
        pytest.importorskip(module, reason=f"{module} is not installed: pip install 'safevlm-guard[small-build]'")
    data = write_world(folder / "data", {"benign_fastchat": [{"text": "Write a limerick on tea."}]}, _PHOTOS)
    write_rows(folder / "own" / "pairs.jsonl", _OWN)
    write_lists({"flickr8k/3": "development", "flickr8k/4": "calibration", "guns/3": "calibration"}, folder / "lists")
    patch.setattr("safety_core.small.corpus.loading.find_own_texts", lambda: folder / "own")
    patch.setattr("safety_core.small.corpus.split_lists.find_lists", lambda: folder / "lists")
    return data
