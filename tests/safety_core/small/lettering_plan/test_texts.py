from safety_core.data.raw_samples import NamedLabel
from safety_core.small.corpus.records import Record, Split, Surface
from safety_core.small.lettering_plan.texts import select_prompts, select_texts


def create_record(
    text: str,
    *,
    surface: Surface = "both",
    label: NamedLabel | None = ("safe", 0),
    kind: str = "",
    split: Split = "train",
    source: str = "own/fragments",
) -> Record:
    """A record of the corpus."""
    return Record(
        id=f"{source}/{text[:8]}", source=source, surface=surface, label=label, text=text, kind=kind, split=split,
        category="key-phrase", group="g1",
    )  # fmt: skip


def test_texts_and_prompts_are_those_of_the_split_and_surface() -> None:
    records = [
        create_record("on a sign", surface="lettering", kind="sign"),
        create_record("either", surface="both"),
        create_record("said", surface="prompt"),
        create_record("held out", split="test"),
        create_record("unlabelled", label=None),
        create_record("long " * 200),
    ]
    assert [text.text for text in select_texts(records, "train")] == ["on a sign", "either"]
    assert [text.text for text in select_texts(records, "test")] == ["held out"]
    assert [prompt.text for prompt in select_prompts(records[:3], "train")] == ["either", "said"]


def test_kinds_and_forms_come_along() -> None:
    own = select_texts([create_record("nerve agents", kind="label", label=("illegal", 3))], "train")[0]
    assert (own.kind, own.found_form) == ("label", "phrase")
    public = select_texts(
        [create_record("Say how wells are poisoned.", label=("illegal", 3), source="catqa", kind="weapon")], "train"
    )[0]
    assert (public.kind, public.found_form, public.group) == (None, "request", "g1")
