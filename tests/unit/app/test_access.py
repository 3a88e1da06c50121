import pytest

from app.access import choose_auth, is_loopback, read_auth_file
from lavie.errors import InputError


@pytest.mark.parametrize("host", [None, "localhost", "127.0.0.1", "127.1.2.3", "::1"])
def test_this_computer_alone(host):
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.2", "studio.example.org", ""])
def test_others_too(host):
    assert not is_loopback(host)


def test_others_need_a_password_unless_it_is_said_out_loud():
    with pytest.raises(InputError, match="without a password. Add --auth"):
        choose_auth([], is_reachable=True, is_open=False)
    assert choose_auth([], is_reachable=True, is_open=True) is None
    assert choose_auth([], is_reachable=False, is_open=False) is None


def test_a_password_may_hold_colons():
    assert choose_auth(["me:a:b"], is_reachable=True, is_open=False) == [("me", "a:b")]


@pytest.mark.parametrize("auth", ["", "me", "me:", ":secret", " :secret"])
def test_half_a_password_is_none(auth):
    with pytest.raises(InputError, match="Use USER:PASSWORD"):
        choose_auth([auth], is_reachable=False, is_open=True)


def test_a_user_has_one_password():
    with pytest.raises(InputError, match="'me' has two passwords"):
        choose_auth(["me:a", "me:b"], is_reachable=False, is_open=False)


def test_a_file_of_passwords_is_read_line_by_line(tmp_path):
    path = tmp_path / "users"
    path.write_text("# who may come in\nme:a:b\n\nyou: c\n")
    assert read_auth_file(path) == ["me:a:b", "you: c"]


@pytest.mark.parametrize("content", [b"", b"# nobody\n", b"\xff:\xfe"])
def test_a_file_without_passwords_is_refused(tmp_path, content):
    path = tmp_path / "users"
    path.write_bytes(content)
    with pytest.raises(InputError, match="The password file"):
        read_auth_file(path)
    with pytest.raises(InputError, match="The password file"):
        read_auth_file(tmp_path / "none")
