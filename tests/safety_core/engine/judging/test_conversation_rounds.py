"""How messages become turns, and a conversation rounds."""

from safety_core.engine.judging.conversation_rounds import join_messages, split_rounds
from safety_core.engine.messages import ChatRequest, ClientMessage, GuardRequest
from safety_core.inputs.conversation import Turn


def user(*texts: str, images: int = 0) -> ClientMessage:
    return ClientMessage(role="user", texts=texts, images=images)


ANSWER = ClientMessage(role="assistant", texts=("No.",))
INSTRUCTIONS = ClientMessage(role="instructions", texts=("Be brief.",))


def test_neighbours_of_one_role_become_one_turn_and_empty_messages_none() -> None:
    turns = join_messages([INSTRUCTIONS, user("a", ""), user(), ANSWER, user("b", images=1)])
    assert turns == (
        Turn(role="user", text="Be brief.\na", parts=("Be brief.", "a")),
        Turn(role="assistant", text="No."),
        Turn(role="user", text="b", images=1),
    )


def test_a_round_ends_with_its_answer_and_an_empty_message_begins_none() -> None:
    messages = (user("a"), ANSWER, user(""), ANSWER, user("b"))
    rounds = split_rounds(ChatRequest(turns=join_messages(messages), messages=messages))
    assert rounds is not None
    first, last = rounds.rounds
    assert (list(first.indices), list(last.indices)) == ([0, 1, 2, 3], [4])
    assert [turn.text for turn in rounds.build_question(first).turns] == ["a"]
    assert rounds.build_instructions() is None
    assert [turn.text for turn in rounds.build_prefix([last]).turns] == ["b"]
    assert rounds.list_dropped([last]) == (0, 1, 2, 3)


def test_one_round_or_pictures_that_belong_to_no_message_are_not_divided() -> None:
    assert split_rounds(GuardRequest(turns=(Turn(role="user", text="a"),))) is None
    messages = (user("a", images=1), ANSWER, user("b"))
    assert split_rounds(ChatRequest(turns=join_messages(messages), messages=messages)) is None
