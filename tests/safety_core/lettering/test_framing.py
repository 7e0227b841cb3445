"""The exact texts in which the head reads lettering: training and serving rely on them."""

from safety_core.lettering.framing import frame_lettering, list_framed_texts


def test_the_frame_is_literal() -> None:
    assert frame_lettering("Mind the gap") == 'Text in the picture: "Mind the gap"'
    assert frame_lettering("Mind the gap", "What is it?") == 'What is it?\nText in the picture: "Mind the gap"'
    assert frame_lettering("{lettering} %s", "{0}") == '{0}\nText in the picture: "{lettering} %s"'


def test_lettering_is_judged_framed_bare_and_with_the_words() -> None:
    assert list_framed_texts("Mind the gap") == ('Text in the picture: "Mind the gap"', "Mind the gap")
    assert list_framed_texts("Mind the gap", "Why?") == (
        'Text in the picture: "Mind the gap"',
        "Mind the gap",
        'Why?\nText in the picture: "Mind the gap"',
    )
