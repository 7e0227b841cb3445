from collections import Counter
from pathlib import Path

import pytest

from safety_core.errors import SampleError
from safety_core.small.alignment.samples.questions import read_questions, read_wordings


def test_there_are_many_wordings_of_every_kind() -> None:
    questions = [question for found in read_questions().values() for question in found]
    kinds = Counter(question.kind for question in questions)
    assert set(kinds) == {"describe", "name", "yes-no", "count", "place", "person", "unknowable"}
    assert min(kinds.values()) >= 8
    assert len({question.text for question in questions}) == len(questions) >= 60


def test_questions_have_only_the_fields_of_their_kind() -> None:
    fields = {"yes-no": {"a", "plural"}, "count": {"plural"}, "place": {"where", "the"}, "person": {"person"}}
    for (kind, _), questions in read_questions().items():
        for question in questions:
            used = {part.partition("}")[0] for part in question.text.split("{")[1:]}
            assert used <= fields.get(kind, set())


def test_every_topic_that_cannot_be_known_has_an_answer() -> None:
    topics = {topic for kind, topic in read_questions() if kind == "unknowable"}
    assert topics | {"instead"} == set(read_wordings()["unknowable"])


def test_a_malformed_line_is_named(tmp_path: Path) -> None:
    file = tmp_path / "questions.jsonl"
    file.write_text('{"text": "What?", "kind": "name"}\n{"text": "Who?", "kind": "guess"}\n', encoding="utf-8")
    with pytest.raises(SampleError, match=r"questions.jsonl.*2.*kind"):
        read_questions(file)
