"""Who may come in: nobody from outside without a password, unless that is said out loud."""

import ipaddress
from collections.abc import Sequence
from pathlib import Path

from lavie.errors import InputError

MAX_AUTH_BYTES = 2**16


def is_loopback(host: str | None) -> bool:
    """Whether an address can be reached from this computer only.

    Args:
        host: The address; None is Gradio's default, which is one.
    """
    if host in (None, "localhost"):
        return True
    try:
        return ipaddress.ip_address(str(host)).is_loopback
    except ValueError:
        return False  # a name may mean anything


def choose_auth(
    auth: Sequence[str], is_reachable: bool, is_open: bool
) -> list[tuple[str, str]] | None:
    """The names and passwords to ask for.

    Args:
        auth: ``USER:PASSWORD``, once for each user.
        is_reachable: Whether others than this computer can reach the page.
        is_open: Whether they may do so without a password.

    Raises:
        InputError: One is not of that form, a user has two, or one is needed.
    """
    pairs = [_parse(pair) for pair in auth]
    users = [user for user, _ in pairs]
    for user in users:
        if users.count(user) > 1:
            raise InputError(f"The user '{user:.40}' has two passwords. Give one.", "auth")
    if is_reachable and not pairs and not is_open:
        raise InputError(
            "Others could reach the page, and everything made on it, without a password. Add "
            "--auth USER:PASSWORD, or --open-to-all if that is meant.",
            "auth",
        )
    return pairs or None


def read_auth_file(path: Path) -> list[str]:
    """Read ``USER:PASSWORD``, one a line; empty lines and those after ``#`` do not count.

    Raises:
        InputError: It cannot be read, or there is none in it.
    """
    try:
        with path.open("rb") as file:
            text = file.read(MAX_AUTH_BYTES).decode("utf-8")
    except (OSError, ValueError) as error:
        raise InputError(f"The password file '{path}' cannot be read: {error}.", "auth") from error
    lines = [line.strip() for line in text.splitlines()]
    pairs = [line for line in lines if line and not line.startswith("#")]
    if not pairs:
        raise InputError(
            f"The password file '{path}' is empty. Write USER:PASSWORD, one a line.", "auth"
        )
    return pairs


def _parse(pair: str) -> tuple[str, str]:
    user, _, password = pair.partition(":")
    if not user.strip() or not password:
        raise InputError("--auth is not a name and a password. Use USER:PASSWORD.", "auth")
    return user.strip(), password  # Gradio strips what is typed as the name
