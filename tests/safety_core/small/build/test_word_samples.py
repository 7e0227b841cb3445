from collections import Counter

from safety_core.lettering.framing import frame_lettering
from safety_core.small.build.word_samples import list_word_samples
from safety_core.small.corpus.records import Record, Surface


def record(name: str, surface: Surface, *, source: str = "own/pairs", type: str = "illegal", level: int = 3) -> Record:
    text = f"How do I pick lock number {name}?"
    return Record(id=f"{source}/{name}", source=source, surface=surface, label=(type, level), text=text)


def test_words_are_a_users_lettering_or_both() -> None:
    records = [record("a", "prompt"), record("b", "lettering"), record("c", "both")]
    samples = list(list_word_samples(records, seed=0))
    forms = Counter(sample.id.rpartition("/")[2] for sample in samples)
    assert forms == Counter(["a#words", "b#framed", "b#bare", "c#words", "c#framed"])
    by_form = {sample.id.rpartition("/")[2]: sample for sample in samples}
    assert by_form["a#words"].text == records[0].text
    start, end = frame_lettering("|").split("|")
    framed = by_form["b#framed"].text
    assert framed.startswith(start)
    assert framed.endswith(end)
    assert not by_form["b#bare"].text.startswith(start)
    assert {sample.label for sample in samples} == {("illegal", 3)}
    assert [sample.id for sample in list_word_samples(records, seed=0)] == [sample.id for sample in samples]


def test_personal_data_is_risky_in_pictures_only() -> None:
    samples = list(list_word_samples([record("card", "lettering", type="privacy", level=1)], seed=0))
    assert [sample.id for sample in samples] == ["own/pairs/card#framed"]


def test_photographs_and_unlabelled_texts_are_no_words() -> None:
    photograph = Record(id="guns/1", source="guns", surface="photo", label=("illegal", 1))
    unlabelled = Record(id="bbq/1", source="bbq", surface="both", label=None, text="Who?")
    assert list(list_word_samples([photograph, unlabelled], seed=0)) == []


def test_noisy_sets_do_not_drown_the_others() -> None:
    many = [
        record(str(number), "prompt", source="tweets_davidson", type="insults_bullying", level=1)
        for number in range(2000)
    ]
    few = [record("x", "prompt", source="catqa")]
    chosen = [sample.id for sample in list_word_samples([*many, *few], seed=0)]
    assert len(chosen) == 901
    assert sorted(chosen) == sorted(sample.id for sample in list_word_samples([*few, *reversed(many)], seed=0))


def test_replies_are_also_read_as_the_output_rail_sees_them() -> None:
    def reply(name: str, text: str, label: tuple[str, int]) -> Record:
        family = f"own/reply-steps/{name}"
        return Record(id=name, source="own/replies", surface="prompt", label=label, text=text, family=family)

    calm = "First sand the wood, then wipe off the dust and let the varnish dry for a day."
    harmful = reply("bad", "First follow her home, then break the window while she sleeps.", ("illegal", 3))
    samples = list(list_word_samples([reply("good", calm, ("safe", 0)), harmful, record("a", "prompt")], seed=0))
    texts: dict[str, list[str]] = {}
    for sample in samples:
        texts.setdefault(sample.id.partition("#")[0], []).append(sample.text)
    whole, opening, *_ = texts["good"]
    assert whole == calm
    assert calm.startswith(opening)
    assert 3 <= len(opening.split()) <= 10
    assert all(harmful.text in text for text in texts["bad"]), "the opening of a harmful reply may be harmless"
    assert sum(calm in text for text in texts["bad"]) == 2
    assert {sample.label for sample in samples if sample.id.startswith("bad")} == {("illegal", 3)}
    assert texts["own/pairs/a"] == ["How do I pick lock number a?"], "a request is no reply"
