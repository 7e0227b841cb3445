"""The work of a request is what the head reads: each variant with each view, and all pictures together and alone."""

from safety_core.engine.judging.model_input import LetteringInput, measure_work
from safety_core.engine.work import Work
from safety_core.lettering.request_texts import LetteringSource
from safety_core.model.head_inputs import estimate_row_cost as cost


def test_a_text_alone_is_read_once_for_each_variant() -> None:
    assert measure_work([[1, 2, 3]], []) == Work(requests=1, tokens=cost(3, 0))
    assert measure_work([[1], [1, 2]], []) == Work(requests=1, tokens=cost(1, 0) + cost(2, 0))


def test_a_picture_alone_is_read_once() -> None:
    assert measure_work([[]], [1]) == Work(requests=1, views=1, tokens=cost(0, 1))


def test_a_picture_and_a_text_are_read_together_and_each_alone() -> None:
    assert measure_work([[1, 2]], [1]) == Work(requests=1, views=1, tokens=cost(2, 1) + cost(2, 0) + cost(0, 1))


def test_several_pictures_are_read_one_by_one_and_together() -> None:
    tokens = 2 * cost(2, 1) + cost(2, 0) + cost(2, 2) + cost(0, 2)
    assert measure_work([[1, 2]], [1, 1]) == Work(requests=1, views=2, tokens=tokens)
    assert measure_work([[]], [1, 1]) == Work(requests=1, views=2, tokens=2 * cost(0, 1) + cost(0, 2))


def test_each_text_of_the_lettering_is_read_once_whatever_the_number_of_pictures_and_variants() -> None:
    texts = [LetteringInput(ids=ids, source=LetteringSource(images=(0,))) for ids in ((1, 2, 3), (4,))]
    plain = measure_work([[1, 2], [3]], [1, 2])
    lettered = measure_work([[1, 2], [3]], [1, 2], texts)
    assert lettered == plain + Work(tokens=cost(3, 0) + cost(1, 0))


def test_both_views_of_a_picture_count() -> None:
    one, two = measure_work([[1, 2]], [1]), measure_work([[1, 2]], [2])
    assert (two.views, two.tokens - one.tokens) == (2, cost(2, 1))


def test_images_that_decide_without_the_words_are_read_once_more() -> None:
    for views, rows in (([1], 0), ([2], 2), ([1, 1], 2)):
        plain, alone = (measure_work([[1, 2], [3]], views, images_alone=value) for value in (False, True))
        assert alone == plain + Work(tokens=rows * cost(0, 1))
    assert measure_work([[]], [1, 1], images_alone=True) == measure_work([[]], [1, 1])
