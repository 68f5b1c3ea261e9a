"""A tokenizer for small worlds: a fixed list of pieces of text, one id each."""

import re
from collections.abc import Sequence


class PieceTokenizer:
    """Splits text into known pieces, the longest first. `decode(encode(text)) == text`."""

    def __init__(self, pieces: Sequence[str]) -> None:
        self.pieces = tuple(dict.fromkeys(pieces))
        self.pad_id, self.end_id = len(self.pieces), len(self.pieces) + 1
        self._ids = {piece: number for number, piece in enumerate(self.pieces)}
        longest_first = sorted(self.pieces, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, longest_first)))

    def __len__(self) -> int:
        return len(self.pieces) + 2

    def encode(self, text: str) -> list[int]:
        """Return the ids of `text`; ValueError where no piece fits."""
        found = self._pattern.findall(text)
        if sum(map(len, found)) != len(text):
            raise ValueError(f"no piece for a part of {text!r}")
        return [self._ids[piece] for piece in found]

    def decode(self, ids: list[int]) -> str:
        """Return the text; the end token and padding have none."""
        return "".join(self.pieces[number] for number in ids if number < len(self.pieces))
