import pytest

from safety_core.small.corpus.labels.photographs import WEAPON, categorize_captions, find_photo_rule


@pytest.mark.parametrize(
    ("source", "categories", "label", "kind"),
    [
        ("guns", ["gun"], WEAPON, "weapon"),
        ("imagenet", ["revolver"], WEAPON, "weapon"),
        ("imagenet", ["warplane"], None, "arms"),
        ("imagenet", ["red wine"], ("safe", 0), "alcohol"),
        ("imagenet", ["syringe"], ("safe", 0), "medicine"),
        ("imagenet", ["tench"], ("safe", 0), ""),
        ("coco", ["person", "knife"], ("safe", 0), "blade"),
        ("coco", [], ("safe", 0), ""),
        ("dreambooth", ["cat"], ("safe", 0), ""),
    ],
)
def test_labels_by_the_picture_alone(
    source: str, categories: list[str], label: tuple[str, int] | None, kind: str
) -> None:
    rule = find_photo_rule(source, categories)
    assert (rule.label, rule.kind) == (label, kind)


def test_captions_that_name_a_weapon_say_too_little() -> None:
    assert categorize_captions(["Two girls fence .", "A girl with a foam sword ."]) == "weapon named"
    assert find_photo_rule("flickr8k", ["weapon named"]).label is None
    assert categorize_captions(["A man in a tank top ."]) == ""
