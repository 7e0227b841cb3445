"""The texts of a conversation that the safety head judges."""

from dataclasses import replace

import pytest
from transformers import PreTrainedTokenizerFast

from safety_core.errors import ConfigError
from safety_core.inputs.conversation import Turn, create_text_variants
from safety_core.inputs.head_texts import MAX_SENTENCES, TextViews
from safety_core.inputs.prompt_encoding import PromptBuilder
from tests.helpers.conversations import answer, ask


def test_a_conversation_is_heard_as_a_whole_and_turn_by_turn(builder: PromptBuilder) -> None:
    turns = [ask("One?"), answer("Yes."), ask("Two?"), answer("Yes."), ask("One?")]
    whole, *alone = builder.encode_head_inputs(turns)
    assert whole == builder.encode_user_words(turns)
    texts = ("One?", "Yes.", "Two?", "One? Two? One?", "One? Yes. Two? Yes. One?")
    assert [text for text in texts if builder.encode_user_words([ask(text)]) not in alone] == []
    assert builder.encode_head_inputs([ask("One?")]) == [builder.encode_user_words([ask("One?")])]
    assert builder.encode_head_inputs([]) == [[]]


@pytest.mark.parametrize(
    ("view", "missing"),
    [("sentences", {"Be kind."}), ("disguises", {"how"}), ("windows", {"Be kind. Two? h0w is"})],
)
def test_a_view_that_is_switched_off_is_not_judged(
    builder: PromptBuilder, tokenizer: PreTrainedTokenizerFast, view: str, missing: set[str]
) -> None:
    turns = [ask("Be kind. Two?"), answer("Yes."), ask("h0w is it made?")]
    every = {tuple(ids) for ids in builder.encode_head_inputs(turns)}
    builder.text_views = replace(TextViews(), **{view: False})
    fewer = {tuple(ids) for ids in builder.encode_head_inputs(turns)}
    builder.text_views = TextViews()
    assert fewer < every
    left_out = [tokenizer.decode(list(ids)) for ids in every - fewer]
    assert all(any(start in text for text in left_out) for start in missing), left_out


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("Be kind. Two? Three!", []),
        ("Be kind. Two? Three! It is.", ["Be kind.", "It is."]),
        ("Be kind\nTwo is\nThree it is", []),
        ("Be kind\nTwo is\nThree it is\nFour it was", ["Be kind", "Four it was"]),
    ],
)
def test_sentences_are_judged_separately_from_a_number_on(builder: PromptBuilder, text: str, pieces: list[str]) -> None:
    builder.text_views = TextViews(fewest_sentences=4)
    judged = builder.encode_head_inputs([ask(text)])
    builder.text_views = TextViews()
    every = builder.encode_head_inputs([ask(text)])
    assert [piece for piece in pieces if builder.encode_user_words([ask(piece)]) not in judged] == []
    assert (judged == every) == bool(pieces)


def test_a_single_sentence_is_no_part_of_a_text() -> None:
    with pytest.raises(ConfigError, match="fewest_sentences"):
        TextViews(fewest_sentences=1)


def test_the_parts_of_a_turn_are_heard_one_by_one_too(builder: PromptBuilder) -> None:
    joined = Turn(role="user", text="Be kind.\nOne?", parts=("Be kind.", "One?"))
    expected = [
        builder.encode_user_words([ask(text)]) for text in ("Be kind.\nOne?", "Be kind.", "One?", "Be kind. One?")
    ]
    assert builder.encode_head_inputs([joined]) == expected
    whole, *alone = builder.encode_head_inputs([joined, answer("Yes."), ask("Two?")])
    assert whole == builder.encode_user_words([joined, answer("Yes."), ask("Two?")])
    assert [ids for ids in expected if ids not in alone] == []
    hidden = replace(joined, parts=("Be kind.", "On\u200be?"))
    normalised, raw = create_text_variants([hidden])
    assert (normalised, raw) == ((joined,), (hidden,))


@pytest.mark.parametrize("noise", ["<image>", "</s>", "<s><pad>", "USER:", " ASSISTANT :\n", "</s>USER: <image>\n"])
def test_words_of_the_template_do_not_drown_a_question(builder: PromptBuilder, noise: str) -> None:
    whole, alone = builder.encode_head_inputs([ask(f"{noise} One? {noise}")])
    assert whole == builder.encode_user_words([ask(f"{noise} One? {noise}")])
    assert alone == builder.encode_user_words([ask("One?")])
    assert builder.encode_head_inputs([ask(noise)]) == [builder.encode_user_words([ask(noise)])]


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("HOW DO I MAKE THIS?", "How do I make this?"),
        ("hOw iS iT MaDe?", "how is it made?"),
        ("How Is It Made?", "How is it made?"),
        ("How is it MADE?", "How is it made?"),
        ("How\nis\nit\nmade?", "How is it made?"),
        ("How  is \t it\u3000made?", "How is it made?"),
        ("\n\n\n\nHow is it made?", "How is it made?"),
        ("How is it made?    ", "How is it made?"),
        ("USER:\nHOW\nIS\n<image> IT\n\nMADE?</s>", "How is it made?"),
        ("How is it made?\nUSER: <image>", "How is it made?"),
        ("HOW IS IT </S>MADE?", "How is it made?"),
        ("Now,\nHOW\nIS\n<image> IT?", "Now, how is it?"),
    ],
)
def test_the_same_words_written_oddly_are_heard_plainly_too(builder: PromptBuilder, text: str, plain: str) -> None:
    """One reading more, however many oddities there are."""
    assert builder.encode_head_inputs([ask(text)]) == [
        builder.encode_user_words([ask(text)]),
        builder.encode_user_words([ask(plain)]),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "What do you see here?",
        "what do you see here",
        '"Who!" (Nobody)',
        "\u092f\u0939 \u0915\u094d\u092f\u093e \u0939\u0948",
        "What is it?\n",
        "\nWhat is it?",
        "12 + 30 = 42, 1st, 2nd.",
        "Dogs. Cats! Why?",
        "\u4e16\u754c \U0001f642",
        "I",
        " ",
        "",
    ],
)
def test_ordinary_words_are_heard_once(builder: PromptBuilder, text: str) -> None:
    assert builder.encode_head_inputs([ask(text)]) == [builder.encode_user_words([ask(text)])]


def test_a_conversation_has_at_most_one_reading_more_for_each_of_its_texts(builder: PromptBuilder) -> None:
    odd = [f"USER: HOW\n\nIs  <image>\nIT\n{number}" for number in range(4)]
    turns = [replace(ask("\n".join(odd[:2])), parts=tuple(odd[:2])), answer(odd[2]), ask(odd[3])]
    texts = [text for turn in turns for text in (turn.text, *turn.parts)]
    spoken = builder.encode_head_inputs(turns)
    assert len(spoken) <= 1 + 2 * len(texts) + 1 + 8, "and what neighbouring turns say together"
    assert [
        number for number in range(4) if builder.encode_user_words([ask(f"How is it {number}")]) not in spoken
    ] == []


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("I like tea a lot. How is this made?", ("I like tea a lot.", "How is this made?")),
        ("How is this made? I like tea a lot.", ("How is this made?", "I like tea a lot.")),
        ("I like tea...  HOW is this made", ("I like tea...", "How is this made")),
        ("I like tea\nhow is this made\n", ("I like tea", "how is this made")),
        ("Yes. No! How is this made? Why?", ("How is this made?",)),
        ("I like tea. Make it. Thanks.", ("I like tea.", "Make it.")),
        (
            "\u6211\u559c\u6b22\u8336\u3002\u600e\u4e48\u505a\u7684\uff1f",
            ("\u6211\u559c\u6b22\u8336\u3002", "\u600e\u4e48\u505a\u7684\uff1f"),
        ),
        ("I like tea USER: now. How is this made?", ("I like tea now.", "How is this made?")),
        ('"I like tea." How is this made?', ('"I like tea."', "How is this made?")),
        ("(I like tea!) How is this made?", ("(I like tea!)", "How is this made?")),
        ('(I like "tea.") How is this made?', ('(I like "tea.")', "How is this made?")),
        ("I like tea. **How is this made?** It is tea.", ("I like tea.", "**How is this made?**", "It is tea.")),
        ("I like tea.\U0001f642 How is this made?", ("I like tea.\U0001f642", "How is this made?")),
        ("I like tea.[12] How is this made?", ("I like tea.[12]", "How is this made?")),
        ("I like tea.How is this made?", ("I like tea.", "How is this made?")),
        ("I like tea\u061f How is this made?", ("I like tea\u061f", "How is this made?")),
        ("I like tea!how is this made?", ("I like tea!", "how is this made?")),
        ("I like tea.))))))))) how is this made?", ("I like tea.)))))))))", "how is this made?")),
    ],
)
def test_each_sentence_is_heard_alone_too(builder: PromptBuilder, text: str, sentences: tuple[str, ...]) -> None:
    whole, *alone = builder.encode_head_inputs([ask(text)])
    assert whole == builder.encode_user_words([ask(text)])
    assert alone[-len(sentences) :] == [builder.encode_user_words([ask(sentence)]) for sentence in sentences]
    assert len(alone) <= 2 * (len(sentences) + 1), "and the text as a whole, plainly, and each without its marks"


@pytest.mark.parametrize(
    "heard",
    [
        ("How is it made?\n\n\n\nSay.", "How is it made? Say.", "How is it made?"),
        (
            "Say. NOW!  HOW\nDO\nI MAKE <image> THIS?",
            "Say. Now! How do I make this?",
            "How do I make this?",
            "I make this?",
        ),
        (
            "I like it.\nHow is\nit made?\nSay.",
            "I like it. How is it made? Say.",
            "I like it.",
            "How is it made?",
            "How is",
            "it made?",
        ),
    ],
)
def test_oddly_written_sentences_are_heard_together_and_alone(builder: PromptBuilder, heard: tuple[str, ...]) -> None:
    """As it came, on one line, over lines, and by line."""
    assert builder.encode_head_inputs([ask(heard[0])]) == [builder.encode_user_words([ask(one)]) for one in heard]


def test_without_sentences_a_text_is_heard_as_it_came_and_plainly(builder: PromptBuilder) -> None:
    text, plain = "I like it.\nHOW is it made?\nSay.", "I like it. How is it made? Say."
    assert builder.encode_head_inputs([ask(text)], sentences=False) == [
        builder.encode_user_words([ask(one)]) for one in (text, plain)
    ]


@pytest.mark.parametrize(("count", "size"), [(128, 1), (129, 2), (256, 2), (1281, 11)])
def test_sentences_without_end_are_heard_in_a_bounded_number_of_groups(
    builder: PromptBuilder, count: int, size: int
) -> None:
    builder.max_prompt_tokens = 40_000
    sentences = [f"This is number {number}." for number in range(count)]
    half = count // 2
    turns = [ask(" ".join(sentences[:half])), answer("Go on."), ask(" ".join(sentences[half:]))]
    spoken = builder.encode_head_inputs(turns)
    groups = [" ".join(sentences[start : start + size]) for start in range(0, count, size)]
    assert [group for group in groups if builder.encode_user_words([ask(group)]) not in spoken] == []
    assert len(groups) <= MAX_SENTENCES
    # Besides them: the whole as it is and on one line, each turn, and the short ones with their neighbours' edges.
    assert len(spoken) <= len(groups) + 12


def test_what_only_the_assistant_says_is_heard_too(builder: PromptBuilder) -> None:
    assert builder.encode_head_inputs([ask(""), answer("Yes."), ask("")])[1:] == [
        builder.encode_user_words([ask("Yes.")])
    ]


@pytest.mark.parametrize(
    "text",
    [
        "how.is.it.made?",
        "h-o-w i-s i-t m-a-d-e?",
        "H\u00f6w \u00efs \u00eft m\u00e4d\u00eb?",
        "<b>how</b> <i>is</i> <u>it</u> <b>made</b>?",
        "&#104;ow_is_it_made?",
        "howIsItMade?",
    ],
)
def test_a_disguised_text_is_judged_in_plain_words_too(builder: PromptBuilder, text: str) -> None:
    spoken = builder.encode_head_inputs([ask(text)])
    assert builder.encode_user_words([ask("how is it made?")]) in spoken
    assert spoken[0] == builder.encode_user_words([ask(text)]), "and as it came"
    assert builder.encode_user_words([ask("how is it made?")]) not in builder.encode_head_inputs(
        [ask(text)], sentences=False
    )


def test_a_disguised_sentence_is_judged_alone_too(builder: PromptBuilder) -> None:
    spoken = builder.encode_head_inputs([ask("I like tea. how_is_it_made? It is nice.")])
    assert builder.encode_user_words([ask("how is it made?")]) in spoken


def test_words_that_nobody_sees_are_judged_like_those_that_one_sees(builder: PromptBuilder) -> None:
    hidden = "".join(chr(0xE0000 + ord(char)) for char in "fold a paper boat")
    visible = [ask("show me how to"), answer("Yes?"), ask(f"hello {hidden}")]
    spoken = [
        ids for turns in create_text_variants(visible) for ids in builder.encode_head_inputs(turns, sentences=False)
    ]
    assert builder.encode_user_words([ask("fold a paper boat")]) in spoken
