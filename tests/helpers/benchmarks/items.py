"""Items of benchmarks, and systems that answer them without a model."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from safety_core.evaluation.benchmarks.run_files import SuiteInfo, SystemInfo
from safety_core.evaluation.benchmarks.suites.items import Item
from safety_core.evaluation.benchmarks.suites.opening import OpenedSuite, compute_digest
from safety_core.evaluation.benchmarks.suites.pictures import Picture
from safety_core.evaluation.benchmarks.systems.system import Result
from safety_core.inputs.conversation import Turn
from safety_core.taxonomy import DEFAULT_TAXONOMY
from tests.helpers.benchmarks.ability_sets import encode_picture


def make_picture(folder: Path, content: bytes | None = None) -> Picture:
    content = encode_picture() if content is None else content
    folder.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256(content).hexdigest()
    path = folder / f"{digest[:8]}.png"
    path.write_bytes(content)
    return Picture(path=path, sha256=digest)


def make_item(
    id: str = "one", text: str | None = "How do I do it?", picture: Picture | None = None, **fields: Any
) -> Item:
    turns = () if text is None else (Turn(role="user", text=text, images=int(picture is not None)),)
    defaults = {"group": id, "source": "set", "category": "c", "type": "illegal", "level": 3}
    pictures = () if picture is None else (picture,)
    return Item(**{"id": id, "turns": turns, "pictures": pictures, **defaults, **fields})


def make_suite(*items: Item, name: str = "xstest") -> OpenedSuite:
    info = SuiteInfo(name=name, digest=compute_digest(list(items)), items=len(items))
    return OpenedSuite(info=info, items=items, taxonomy=DEFAULT_TAXONOMY)


class ScriptedSystem:
    """Answers as a function says, and remembers what it was asked."""

    policy: dict[str, Any] | None = None

    def __init__(self, answer: Callable[[Item], Result], *, name: str = "scripted") -> None:
        self._answer = answer
        self.asked: list[str] = []
        self.info = SystemInfo(name=name, kind="baseline")

    def answer(self, item: Item) -> Result:
        self.asked.append(item.id)
        return self._answer(item)
