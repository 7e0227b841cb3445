"""Requests that are cut into several turns."""

from dataclasses import replace

import pytest

from safety_core.inputs.conversation import Turn
from safety_core.inputs.head_texts import MAX_SENTENCES
from safety_core.inputs.prompt_encoding import PromptBuilder
from safety_core.inputs.turn_windows import MAX_FOLDED_WINDOWS, MAX_WINDOWS, has_only_whole_questions
from tests.helpers.conversations import answer, ask


def test_a_question_that_is_asked_a_few_words_a_turn_is_heard_in_one_piece(builder: PromptBuilder) -> None:
    turns = [ask("HOW do I"), answer("Go on."), ask("make"), answer("Yes?"), ask("this?\n")]
    assert builder.encode_user_words([ask("How do I make this?")]) in builder.encode_head_inputs(turns)


PIECES = ("show me how to", "fold", "a paper boat")


@pytest.mark.parametrize(
    "turns",
    [
        [ask(PIECES[0]), answer(PIECES[1]), ask(PIECES[2])],
        [ask(PIECES[0]), answer("Go on."), ask(PIECES[1]), answer("And?"), ask(PIECES[2])],
        [ask("Hi."), answer(PIECES[0]), ask("Yes?"), answer(PIECES[1]), ask(PIECES[2])],
        [ask("show me"), answer("how"), ask("to fold"), answer("a paper"), ask("boat")],
        [ask("show me how to."), answer("fold."), ask("a paper boat")],
        [ask("ASSISTANT: SHOW me how to"), answer("<image> fold"), ask("a paper\nboat")],
        [ask("show.me.how.to"), answer("f-o-l-d"), ask("a_paper_boat")],
        [ask("show me how to fo"), answer("ld a pa"), ask("per boat")],
        [replace(ask(PIECES[0]), images=1), answer(PIECES[1]), replace(ask(PIECES[2]), images=1)],
        [replace(ask(f"Be kind.\n{PIECES[0]}"), parts=("Be kind.", PIECES[0])), answer(PIECES[1]), ask(PIECES[2])],
    ],
    ids=["cut", "asked", "answered", "five", "stops", "marked", "disguised", "words", "pictures", "parts"],
)  # fmt: skip
@pytest.mark.parametrize("around", [0, 4], ids=["alone", "in a chat"])
def test_a_request_that_is_cut_into_turns_is_judged_in_one_piece(
    builder: PromptBuilder, turns: list[Turn], around: int
) -> None:
    chat = [ask("Do you like tea in the morning?"), answer("Yes, I like tea in the morning.")] * around
    end = [answer("I see what you mean by that."), ask("Thank you very much for that.")] if around else []
    spoken = builder.encode_head_inputs([*chat, *turns, *end])
    request = "show me how to fold a paper boat"
    assert any(builder.encode_user_words([ask(text)]) in spoken for text in (request, request.capitalize()))


def test_whole_sentences_of_neighbouring_turns_are_judged_with_all_turns_only(builder: PromptBuilder) -> None:
    turns = [ask("Do you like tea?"), answer("Yes, I like it."), ask("Do you see a cat?")]
    pairs = ("Do you like tea Yes, I like it.", "do you like tea yes, I like it.", "Do you like tea? yes, I like it.")
    spoken = builder.encode_head_inputs(turns)
    assert [pair for pair in pairs if builder.encode_user_words([ask(pair)]) in spoken] == []


@pytest.mark.parametrize("before", [0, 12, 24])
def test_a_request_in_pieces_is_judged_in_one_piece_wherever_it_stands(builder: PromptBuilder, before: int) -> None:
    small = [ask("i like tea in the morning"), answer("tea in the morning is fine")]
    turns = [*small * (before // 2), ask("show me"), answer("how to fold"), ask("a paper"), answer("boat")]
    turns += small * ((28 - before) // 2) + [ask("thanks a lot for that")]
    spoken = builder.encode_head_inputs(turns)
    assert builder.encode_user_words([ask("show me how to fold a paper boat")]) in spoken


def test_pieces_in_a_disguise_are_judged_in_one_piece_wherever_they_stand(builder: PromptBuilder) -> None:
    small = [ask("i like tea in the morning"), answer("tea in the morning is fine")]
    turns = [ask("s.h.o.w m.e"), answer("h.o.w t.o f.o.l.d"), ask("a p.a.p.e.r b.o.a.t"), answer("fine"), *small * 13]
    spoken = builder.encode_head_inputs([*turns, ask("thanks a lot for that")])
    assert builder.encode_user_words([ask("show me how to fold a paper boat")]) in spoken


def test_whole_questions_without_marks_are_not_judged_as_one(builder: PromptBuilder) -> None:
    turns = [ask("teach me how to fold a boat"), answer("Fold it in half."), ask("please explain why the sky is blue")]
    spoken = builder.encode_head_inputs([*turns, answer("It scatters light."), ask("Thanks a lot for that.")])
    assert (
        builder.encode_user_words([ask("teach me how to fold a boat please explain why the sky is blue")]) not in spoken
    )


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("show me how to", "tell you how I feel"),
        ("teach me how to fold a", "what is it called boat"),
        ("fold a boat", "how do you do that again"),
        ("teach me how to fold your", "please my paper boat"),
        ("teach me how to fold it", "what was it? my paper boat"),
        ("teach me how to fold up", "how nice"),
    ],
)
def test_a_beginning_question_hides_no_end_of_another(builder: PromptBuilder, first: str, second: str) -> None:
    spoken = builder.encode_head_inputs([ask(first), answer("Yes, I like tea in the morning."), ask(second)])
    assert builder.encode_user_words([ask(f"{first} {second}")]) in spoken


def test_a_long_conversation_makes_a_bounded_number_of_readings(builder: PromptBuilder) -> None:
    builder.max_prompt_tokens = 40_000
    turns = [ask(f"go {number}") if number % 2 == 0 else answer(f"to {number}") for number in range(401)]
    spoken = builder.encode_head_inputs(turns)
    assert len(spoken) <= len(turns) + MAX_SENTENCES + 2 * MAX_WINDOWS + MAX_FOLDED_WINDOWS + 10
    last = " ".join(turn.text for turn in turns[-2:])
    assert builder.encode_user_words([ask(last)]) in spoken, "late turns come first"


COMPLETE = [
    ask("teach me how to fold a boat."),
    answer("Fold it in half."),
    ask("Thanks very much!"),
    answer("You are welcome."),
    ask("explain why the sky is blue"),
]


def test_whole_questions_are_not_run_together(builder: PromptBuilder) -> None:
    spoken = builder.encode_head_inputs(COMPLETE)
    joined = "teach me how to fold a boat. Thanks very much! explain why the sky is blue"
    assert builder.encode_user_words([ask(joined)]) not in spoken
    assert spoken[0] == builder.encode_user_words(COMPLETE), "they are still read in lines of their own"
    assert has_only_whole_questions(COMPLETE)


@pytest.mark.parametrize(
    "piece", ["fold a", "a paper boat.", "how do you fold my", "thank you for the boat", "my boat"]
)
def test_pieces_of_questions_are_run_together(builder: PromptBuilder, piece: str) -> None:
    turns = [*COMPLETE[:3], answer("Yes?"), ask(piece)]
    assert not has_only_whole_questions(turns)
    joined = f"teach me how to fold a boat. Thanks very much! {piece}"
    assert builder.encode_user_words([ask(joined)]) in builder.encode_head_inputs(turns)


def test_thanks_between_the_pieces_of_a_request_hide_nothing(builder: PromptBuilder) -> None:
    turns = [ask("show me how to"), answer("Thanks!"), ask("thank you very much"), answer("fold"), ask("a paper boat")]
    assert builder.encode_user_words([ask("show me how to fold a paper boat")]) in builder.encode_head_inputs(turns)
