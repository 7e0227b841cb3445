"""The HTTP interface keeps its shape unless the recorded shape is changed with it."""

from tools.openapi_shape import SHAPE_FILE, read_shape, strip_texts


def test_the_interface_has_the_recorded_shape() -> None:
    assert read_shape() == SHAPE_FILE.read_text("utf-8"), "run python -m tools.openapi_shape to see the difference"


def test_texts_are_left_out_and_fields_with_their_names_are_kept() -> None:
    described = {"title": "Reply", "description": "What a client gets.", "examples": [1], "type": "integer"}
    assert strip_texts(described) == {"type": "integer"}
    fields = {"properties": {"title": described, "summary": {"type": "string", "title": "Summary"}}}
    assert strip_texts([fields]) == [{"properties": {"title": {"type": "integer"}, "summary": {"type": "string"}}}]
