from types import SimpleNamespace

import pytest

from app.visitors import COOKIE, HEADER, Visitors, is_token, new_token

TOKEN = "0123456789abcdef" * 2


def ask(cookie=None, header=None, username=None):
    return SimpleNamespace(
        username=username,
        client=SimpleNamespace(host="10.0.0.1"),
        headers={HEADER: header} if header else {},
        cookies={COOKIE: cookie} if cookie else {},
    )


@pytest.mark.parametrize("request_", [None, ask(TOKEN), ask(username="anna")])
def test_a_private_server_tells_nobody_apart(request_):
    assert Visitors(is_public=False).visitor(request_) == ("", "")


def test_a_browser_and_a_program_are_known_again():
    visitors = Visitors(is_public=True)
    assert visitors.visitor(ask(cookie=TOKEN)) == (f"visitor:{TOKEN}", "10.0.0.1")
    assert visitors.owner(ask(header=TOKEN)) == f"visitor:{TOKEN}"


def test_who_logged_in_is_known_by_name_whatever_else_is_sent():
    owner = Visitors(is_public=True).owner(ask(TOKEN, TOKEN, username="anna"))
    assert owner == "user:anna"


@pytest.mark.parametrize(
    "cookie", [None, "", "0" * 31, "0" * 33, "G" * 32, "0" * 31 + "\n", "../" * 10 + "00", "'" * 32]
)
def test_who_has_no_proper_token_is_somebody_new_each_time(cookie):
    visitors = Visitors(is_public=True)
    owners = {visitors.owner(ask(cookie)) for _ in range(3)} | {visitors.owner(None)}
    assert len(owners) == 4
    assert all(is_token(owner.removeprefix("visitor:")) for owner in owners)


def test_tokens_have_128_bits():
    assert len(new_token()) * 4 == 128
    assert new_token() != new_token()
