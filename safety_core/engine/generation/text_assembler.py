"""Converts the token ids of a reply to text while they are generated."""

from transformers import PreTrainedTokenizerBase


class TextAssembler:
    """Converts the token ids of one reply to text, piece by piece; pieces contain whole characters and never change.

    Only the tokens since the last complete character are decoded again, after a few earlier ones: some tokenizers treat
    the first token of a sequence differently.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        self.tokenizer = tokenizer
        self.text = ""
        self._ids: list[int] = []
        self._behind = 0
        """Number of leading tokens of ``_ids`` whose text has been returned."""

    def push(self, token_id: int) -> str:
        """Append a token; returns the text that is now complete, often empty within a multi-byte character."""
        self._ids.append(token_id)
        decoded = self._decode(self._ids)
        # A trailing replacement character may be the first bytes of a character that the next tokens complete.
        if decoded.endswith("\ufffd"):
            return ""
        piece = decoded[len(self._decode(self._ids[: self._behind])) :]
        self._ids, self._behind = self._ids[self._behind :], len(self._ids) - self._behind
        return self._append(piece)

    def finish(self) -> str:
        """Return the text of an incomplete character at the end."""
        held = self._decode(self._ids)[len(self._decode(self._ids[: self._behind])) :]
        self._behind = len(self._ids)
        return self._append(held)

    def _append(self, piece: str) -> str:
        if not self.text:
            piece = piece.lstrip()
        self.text += piece
        return piece

    def _decode(self, ids: list[int]) -> str:
        return str(self.tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False))
