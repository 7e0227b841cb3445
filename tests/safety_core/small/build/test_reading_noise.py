from random import Random

from safety_core.small.build.reading_noise import imitate_reading

TEXT = "1. Mind the gap.\n2. Look left.\n3."


def test_the_noise_depends_on_the_seed_alone() -> None:
    assert imitate_reading(TEXT, Random(3)) == imitate_reading(TEXT, Random(3))


def test_most_texts_keep_every_character_but_their_line_breaks() -> None:
    read = [imitate_reading(TEXT, Random(seed)) for seed in range(400)]
    unchanged = sum(" ".join(text.split()) == " ".join(TEXT.split()) for text in read)
    assert 200 < unchanged < 330
    assert any(" " not in text and "\n" not in text for text in read), "some lose every space"
    assert any(text.isupper() for text in read)


def test_the_letters_stay_recognisable() -> None:
    for seed in range(200):
        letters = "".join(filter(str.isalnum, imitate_reading(TEXT, Random(seed)).lower()))
        original = "".join(filter(str.isalnum, TEXT.lower()))
        assert abs(len(letters) - len(original)) <= 2
        assert sum(a != b for a, b in zip(letters, original, strict=False)) < len(original), letters


def test_a_text_never_becomes_empty() -> None:
    assert all(imitate_reading(text, Random(seed)) for text in ("!", "…", "a") for seed in range(50))
