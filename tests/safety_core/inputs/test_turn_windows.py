"""Requests that are cut into several turns."""

from dataclasses import replace

import pytest

from safety_core.inputs.conversation import Turn
from safety_core.inputs.head_texts import MAX_SENTENCES
from safety_core.inputs.prompt_encoding import PromptBuilder
from safety_core.inputs.turn_windows import MAX_FOLDED_WINDOWS, MAX_WINDOWS, has_only_whole_questions
from tests.helpers.conversations import said, user


def test_a_question_that_is_asked_a_few_words_a_turn_is_heard_in_one_piece(builder: PromptBuilder) -> None:
    turns = [user("HOW do I"), said("Go on."), user("make"), said("Yes?"), user("this?\n")]
    assert builder.encode_user_words([user("How do I make this?")]) in builder.encode_head_inputs(turns)


PIECES = ("show me how to", "fold", "a paper boat")


@pytest.mark.parametrize(
    "turns",
    [
        [user(PIECES[0]), said(PIECES[1]), user(PIECES[2])],
        [user(PIECES[0]), said("Go on."), user(PIECES[1]), said("And?"), user(PIECES[2])],
        [user("Hi."), said(PIECES[0]), user("Yes?"), said(PIECES[1]), user(PIECES[2])],
        [user("show me"), said("how"), user("to fold"), said("a paper"), user("boat")],
        [user("show me how to."), said("fold."), user("a paper boat")],
        [user("ASSISTANT: SHOW me how to"), said("<image> fold"), user("a paper\nboat")],
        [user("show.me.how.to"), said("f-o-l-d"), user("a_paper_boat")],
        [user("show me how to fo"), said("ld a pa"), user("per boat")],
        [replace(user(PIECES[0]), images=1), said(PIECES[1]), replace(user(PIECES[2]), images=1)],
        [replace(user(f"Be kind.\n{PIECES[0]}"), parts=("Be kind.", PIECES[0])), said(PIECES[1]), user(PIECES[2])],
    ],
    ids=["cut", "asked", "answered", "five", "stops", "marked", "disguised", "words", "pictures", "parts"],
)  # fmt: skip
@pytest.mark.parametrize("around", [0, 4], ids=["alone", "in a chat"])
def test_a_request_that_is_cut_into_turns_is_judged_in_one_piece(
    builder: PromptBuilder, turns: list[Turn], around: int
) -> None:
    chat = [user("Do you like tea in the morning?"), said("Yes, I like tea in the morning.")] * around
    end = [said("I see what you mean by that."), user("Thank you very much for that.")] if around else []
    spoken = builder.encode_head_inputs([*chat, *turns, *end])
    request = "show me how to fold a paper boat"
    assert any(builder.encode_user_words([user(text)]) in spoken for text in (request, request.capitalize()))


def test_whole_sentences_of_neighbouring_turns_are_judged_with_all_turns_only(builder: PromptBuilder) -> None:
    turns = [user("Do you like tea?"), said("Yes, I like it."), user("Do you see a cat?")]
    pairs = ("Do you like tea Yes, I like it.", "do you like tea yes, I like it.", "Do you like tea? yes, I like it.")
    spoken = builder.encode_head_inputs(turns)
    assert [pair for pair in pairs if builder.encode_user_words([user(pair)]) in spoken] == []


@pytest.mark.parametrize("before", [0, 12, 24])
def test_a_request_in_pieces_is_judged_in_one_piece_wherever_it_stands(builder: PromptBuilder, before: int) -> None:
    small = [user("i like tea in the morning"), said("tea in the morning is fine")]
    turns = [*small * (before // 2), user("show me"), said("how to fold"), user("a paper"), said("boat")]
    turns += small * ((28 - before) // 2) + [user("thanks a lot for that")]
    spoken = builder.encode_head_inputs(turns)
    assert builder.encode_user_words([user("show me how to fold a paper boat")]) in spoken


def test_pieces_in_a_disguise_are_judged_in_one_piece_wherever_they_stand(builder: PromptBuilder) -> None:
    small = [user("i like tea in the morning"), said("tea in the morning is fine")]
    turns = [user("s.h.o.w m.e"), said("h.o.w t.o f.o.l.d"), user("a p.a.p.e.r b.o.a.t"), said("fine"), *small * 13]
    spoken = builder.encode_head_inputs([*turns, user("thanks a lot for that")])
    assert builder.encode_user_words([user("show me how to fold a paper boat")]) in spoken


def test_whole_questions_without_marks_are_not_judged_as_one(builder: PromptBuilder) -> None:
    turns = [user("teach me how to fold a boat"), said("Fold it in half."), user("please explain why the sky is blue")]
    spoken = builder.encode_head_inputs([*turns, said("It scatters light."), user("Thanks a lot for that.")])
    assert (
        builder.encode_user_words([user("teach me how to fold a boat please explain why the sky is blue")])
        not in spoken
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
    spoken = builder.encode_head_inputs([user(first), said("Yes, I like tea in the morning."), user(second)])
    assert builder.encode_user_words([user(f"{first} {second}")]) in spoken


def test_a_long_conversation_makes_a_bounded_number_of_readings(builder: PromptBuilder) -> None:
    builder.max_prompt_tokens = 40_000
    turns = [user(f"go {number}") if number % 2 == 0 else said(f"to {number}") for number in range(401)]
    spoken = builder.encode_head_inputs(turns)
    assert len(spoken) <= len(turns) + MAX_SENTENCES + 2 * MAX_WINDOWS + MAX_FOLDED_WINDOWS + 10
    last = " ".join(turn.text for turn in turns[-2:])
    assert builder.encode_user_words([user(last)]) in spoken, "late turns come first"


COMPLETE = [
    user("teach me how to fold a boat."),
    said("Fold it in half."),
    user("Thanks very much!"),
    said("You are welcome."),
    user("explain why the sky is blue"),
]


def test_whole_questions_are_not_run_together(builder: PromptBuilder) -> None:
    spoken = builder.encode_head_inputs(COMPLETE)
    joined = "teach me how to fold a boat. Thanks very much! explain why the sky is blue"
    assert builder.encode_user_words([user(joined)]) not in spoken
    assert spoken[0] == builder.encode_user_words(COMPLETE), "they are still read in lines of their own"
    assert has_only_whole_questions(COMPLETE)


@pytest.mark.parametrize(
    "piece", ["fold a", "a paper boat.", "how do you fold my", "thank you for the boat", "my boat"]
)
def test_pieces_of_questions_are_run_together(builder: PromptBuilder, piece: str) -> None:
    turns = [*COMPLETE[:3], said("Yes?"), user(piece)]
    assert not has_only_whole_questions(turns)
    joined = f"teach me how to fold a boat. Thanks very much! {piece}"
    assert builder.encode_user_words([user(joined)]) in builder.encode_head_inputs(turns)


def test_thanks_between_the_pieces_of_a_request_hide_nothing(builder: PromptBuilder) -> None:
    turns = [user("show me how to"), said("Thanks!"), user("thank you very much"), said("fold"), user("a paper boat")]
    assert builder.encode_user_words([user("show me how to fold a paper boat")]) in builder.encode_head_inputs(turns)
