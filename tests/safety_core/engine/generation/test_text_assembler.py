import pytest
from transformers import PreTrainedTokenizerFast

from safety_core.engine.generation.text_assembler import TextAssembler


def assemble(tokenizer: PreTrainedTokenizerFast, ids: list[int]) -> tuple[list[str], str]:
    assembler = TextAssembler(tokenizer)
    pieces = [assembler.push(token) for token in ids]
    return [*pieces, assembler.finish()], assembler.text


@pytest.mark.parametrize("text", [" A red knife.", " naïve 世界 🙂 end", " 🙂", "", "  two  spaces \n\n lines "])
def test_pieces_join_to_the_text(tokenizer: PreTrainedTokenizerFast, text: str) -> None:
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    pieces, whole = assemble(tokenizer, ids)
    assert "".join(pieces) == whole == text.lstrip()


def test_pieces_do_not_depend_on_how_much_was_said_before(tokenizer: PreTrainedTokenizerFast) -> None:
    ids = tokenizer(" naïve 世界 🙂" * 40, add_special_tokens=False)["input_ids"]
    pieces, whole = assemble(tokenizer, ids)
    assert "".join(pieces) == whole == (" naïve 世界 🙂" * 40).lstrip()


def test_no_piece_holds_half_a_character(tokenizer: PreTrainedTokenizerFast) -> None:
    ids = tokenizer("🙂 世", add_special_tokens=False)["input_ids"]
    assert len(ids) > 2
    pieces, _ = assemble(tokenizer, ids)
    assert [piece for piece in pieces if piece] == ["🙂", " ", "世"]


def test_bytes_that_never_become_a_character_come_at_the_end(tokenizer: PreTrainedTokenizerFast) -> None:
    half = tokenizer("🙂", add_special_tokens=False)["input_ids"][:2]
    pieces, whole = assemble(tokenizer, half)
    assert pieces[:-1] == ["", ""]
    assert pieces[-1] == whole
    assert set(whole) == {"\ufffd"}
