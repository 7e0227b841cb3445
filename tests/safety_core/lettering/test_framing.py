"""The exact texts in which the head reads lettering: training and serving rely on them."""

from safety_core.lettering.framing import frame_lettering


def test_the_frame_is_literal() -> None:
    assert frame_lettering("Mind the gap") == 'Text in the picture: "Mind the gap"'
    assert frame_lettering("Mind the gap", "What is it?") == 'What is it?\nText in the picture: "Mind the gap"'
    assert frame_lettering("{lettering} %s", "{0}") == '{0}\nText in the picture: "{lettering} %s"'
