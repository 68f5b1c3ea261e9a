"""A place in a list of tokens."""

from reward_service.verifiers.math.tokens import Token
from reward_service.verifiers.math.tree import Unreadable

END = Token("end", "", 0, spaced=False)


class Cursor:
    """Walks over `tokens` of `text`; counts how deep the reader is."""

    def __init__(self, tokens: list[Token], text: str) -> None:
        self.tokens = tokens
        self.text = text
        self.at = 0
        self.depth = 0
        self.bars = 0

    @property
    def peek(self) -> Token:
        """The next token, `end` after the last."""
        return self.tokens[self.at] if self.at < len(self.tokens) else END

    def take(self) -> Token:
        """Consume the next token."""
        token = self.peek
        self.at += 1
        return token

    def accept(self, text: str) -> bool:
        """Consume the next token if it reads `text`."""
        if self.peek.text == text and self.peek.kind in ("sign", "cmd"):
            self.at += 1
            return True
        return False

    def expect(self, text: str) -> None:
        """Consume `text` or refuse."""
        if not self.accept(text):
            raise Unreadable("unbalanced" if self.peek.kind == "end" else "unexpected_token")

    def accept_all(self, *texts: str) -> bool:
        """Consume the next tokens if they read exactly `texts`."""
        ahead = [token.text for token in self.tokens[self.at : self.at + len(texts)]]
        if ahead != list(texts):
            return False
        self.at += len(texts)
        return True

    def raw_argument(self) -> str:
        """Consume one group or one token, and return its text as written."""
        start = self.peek.start
        level = 0
        while True:
            token = self.take()
            level += (token.text == "{") - (token.text == "}")
            if token.kind == "end":
                raise Unreadable("unbalanced", is_final=True)
            if level <= 0:
                break
        return self.text[start : len(self.text) if self.peek.kind == "end" else self.peek.start]
