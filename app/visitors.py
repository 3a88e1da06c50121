"""Who is asking: nobody in particular on a server of one's own, a visitor on a public one."""

import re
import secrets
from typing import NamedTuple

import gradio as gr

COOKIE = "lavie-visitor"
"""Given to every browser by `app.guard`; scripts on a page cannot read it."""

HEADER = "x-lavie-visitor"
"""For programs that want to be known again: 32 hexadecimal digits that they draw themselves."""

_TOKEN = re.compile("[0-9a-f]{32}")


class Visitor(NamedTuple):
    """One who asks.

    Args:
        owner: Of what he makes; empty on a server that does not tell its visitors apart.
        address: From where he asks; empty if that is not known.
    """

    owner: str = ""
    address: str = ""


class Visitors:
    """Tells visitors apart.

    Args:
        is_public: Whether there are others than the owner of the server.
    """

    def __init__(self, is_public: bool = False) -> None:
        self._is_public = is_public

    def owner(self, request: gr.Request | None) -> str:
        """To whom belongs what is asked for.

        Returns:
            Of a public server the user who logged in, else the token of the browser or program.
            Who has none that is well formed is somebody new each time. Else always "".
        """
        return self.visitor(request).owner

    def visitor(self, request: gr.Request | None) -> Visitor:
        """As `owner`, with the address."""
        if not self._is_public:
            return Visitor()
        if request is None:
            return Visitor(f"visitor:{new_token()}")
        address = request.client.host if request.client else ""
        if request.username:
            return Visitor(f"user:{request.username}", address)
        token = request.headers.get(HEADER) or request.cookies.get(COOKIE)
        return Visitor(f"visitor:{token if is_token(token) else new_token()}", address)


def new_token() -> str:
    """128 bits that nobody guesses."""
    return secrets.token_hex(16)


def is_token(token: object) -> bool:
    """Whether something has the form of a token."""
    return isinstance(token, str) and _TOKEN.fullmatch(token) is not None
