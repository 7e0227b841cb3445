from safety_core.small.corpus.reading.families import find_bias_family, find_hate_family, find_person_family


def test_patterns_filled_with_groups_are_one_family() -> None:
    assert find_hate_family("All black people adore tea") == find_hate_family("All women adore tea")
    assert find_hate_family("All women adore tea") != find_hate_family("All women abhor tea")
    assert find_hate_family("women") == ""


def test_stories_with_other_people_are_one_family() -> None:
    story = "I met my {} and my {} neighbour in town. Who was late?"
    assert find_bias_family(story.format("Norse", "Celtic")) == find_bias_family(story.format("Roman", "Greek"))


def test_texts_with_other_names_and_numbers_are_one_family() -> None:
    one, two = "Please call Ada Quill at 555-0101", "Please call Bo Reed-Lark at 555-0199"
    assert find_person_family(one) == find_person_family(two) != find_person_family("Do not call at 555-0101")
