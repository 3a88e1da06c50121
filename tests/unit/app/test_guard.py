import asyncio
import json

import pytest

from app import guard as guards
from app.guard import LOGINS_PER_MINUTE, Function, Guard
from app.strict_json import MAX_JSON_BYTES
from app.uploads import MAX_PUBLIC_UPLOAD_BYTES, MAX_UPLOAD_BYTES
from app.visitors import COOKIE, is_token

GOOD = {"data": [""], "fn_index": 0, "session_hash": "abc"}
TOKEN = "0" * 32
FUNCTIONS = {
    0: Function("submit", 1, {"prompt": False, "seed": True}),
    5: Function("", 1, {}, False, {0: 3}),
    6: Function("", 0, {}, True),
}


class App:
    """Answers 200 with what it was sent; or as told."""

    def __init__(self, status=200, body=None, error=None):
        self.status, self.body, self.error = status, body, error
        self.bodies = []

    async def __call__(self, scope, receive, send):
        if self.error:
            raise self.error
        message = await receive()
        self.bodies.append(message.get("body"))
        await send({"type": "http.response.start", "status": self.status, "headers": []})
        await send({"type": "http.response.body", "body": self.body or b""})


def ask(app, path="/", method="GET", body=b"", public=False, **headers):
    """Returns status, headers and text of the answer."""
    return ask_at(make_guard(app, public), path, method, body, **headers)


def make_guard(app, public=True):
    return Guard(
        app,
        is_public=public,
        functions=FUNCTIONS,
        may_name=lambda path: path == "/mine",
        may_read=lambda path: path != "/thrown/away",
    )


def ask_at(guard, path="/", method="GET", body=b"", client="10.0.0.1", **headers):
    if not isinstance(body, bytes):
        body = json.dumps(body).encode()
    headers = {"host": "localhost:7860", "content_length": str(len(body)), **headers}
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "client": (client, 1),
        "headers": [(k.replace("_", "-").encode(), v.encode()) for k, v in headers.items() if v],
    }
    sent = []

    async def receive():
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message):
        sent.append(message)

    asyncio.run(guard(scope, receive, send))
    found = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], found, sent[1]["body"].decode()


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/config",
        "/theme.css",
        "/assets/index.js",
        "/gradio_api/info",
        "/gradio_api/queue/data",
        "/gradio_api/heartbeat/abc",
        "/gradio_api/file=/data/results/2026-11-25/a/b.mp4",
        "/gradio_api/call/submit/123",
    ],
)
def test_what_the_page_needs_is_served(path):
    assert ask(App(), path)[0] == 200


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/gradio_api/proxy=https://example.org"),
        ("GET", "/gradio_api/file=https://example.org/x"),
        ("GET", "/gradio_api/file=HTTP://169.254.169.254/latest"),
        ("GET", "/gradio_api/file=file:///etc/passwd"),
        ("GET", "/gradio_api/file=//https://example.org"),
        ("GET", "/gradio_api/file/etc/passwd"),
        ("GET", "/gradio_api/file=/thrown/away"),
        ("HEAD", "/gradio_api/file=/thrown/away"),
        ("GET", "/gradio_api/deep_link"),
        ("GET", "/gradio_api/token"),
        ("GET", "/monitoring"),
        ("GET", "/gradio_api/runs"),
        ("GET", "/gradio_api/custom_component/a/client/b/c"),
        ("POST", "/gradio_api/component_server"),
        ("POST", "/gradio_api/process_recording"),
        ("POST", "/gradio_api/vibe-edit"),
        ("POST", "/gradio_api/stream/abc"),
        ("POST", "/gradio_api/call/page_submit"),
        ("POST", "/gradio_api/call/"),
        ("POST", "/"),
        ("PUT", "/gradio_api/upload"),
        ("DELETE", "/"),
        ("GET", "/.env"),
    ],
)
def test_the_rest_of_gradio_is_not(method, path):
    app = App()
    assert ask(app, path, method, GOOD)[0] == 404
    assert app.bodies == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b'"text"',
        b"\xff\xfe",
        b'{"data": [NaN]}',
        b'{"data": ["\\ud800"]}',
        b'{"data": ' + b"[" * 50 + b"]" * 50 + b"}",
        b"[" * 100_000,
        b'{"data": [' + b"9" * 5000 + b"]}",
        b'{"data": {}}',
        b'{"data": [], "session_hash": "../x"}',
        b'{"data": [], "session_hash": 5}',
        b'{"data": [], "batched": true}',
        json.dumps({"data": [0] * 101}).encode(),
        json.dumps({"data": []}).encode(),
        json.dumps({"data": [{"path": 5, "meta": {}}]}).encode(),
        json.dumps({"data": [{"path": "/mine", "meta": "gradio.FileData"}]}).encode(),
        json.dumps({"data": [{"path": "/mine", "url": 5, "meta": {}}]}).encode(),
    ],
)
def test_a_malformed_call_is_refused_with_a_sentence(body):
    app = App()
    status, _, text = ask(app, "/gradio_api/call/submit", "POST", body)
    assert (status, app.bodies) == (400, [])
    assert json.loads(text)["detail"].endswith(".")


@pytest.mark.parametrize("number", [1, -1, True, "0", None, 10**30, 0.0])
def test_what_is_not_there_cannot_be_called(number):
    call = {**GOOD, "fn_index": number}
    assert ask(App(), "/gradio_api/queue/join", "POST", call)[0] == 404
    assert ask(App(), "/gradio_api/call/nothing", "POST", GOOD)[0] == 404


@pytest.mark.parametrize("number", [5, 6, 1, "5", "0", 5.0, False, []])
def test_a_function_called_by_name_is_not_another_one_by_number(number):
    call = {**GOOD, "fn_index": number}
    for path in ("api/submit", "api/submit/", "call/submit"):
        app = App()
        assert ask(app, f"/gradio_api/{path}", "POST", call)[0] == 404
        assert app.bodies == []
    for named in ({**GOOD, "fn_index": None}, GOOD):
        assert ask(App(), "/gradio_api/api/submit", "POST", named)[0] == 200


@pytest.mark.parametrize("event", [None, [], 5, "x"])
def test_what_was_clicked_is_told(event):
    call = {**GOOD, "fn_index": 6, "event_data": event}
    assert ask(App(), "/gradio_api/run/predict", "POST", call)[0] == 400
    assert ask(App(), "/gradio_api/run/predict", "POST", {**call, "event_data": {}})[0] == 200


@pytest.mark.parametrize("event", [None, {}, [], 5, "typed"])
def test_who_need_not_know_what_was_clicked_may_be_told_anything(event):
    call = {**GOOD, "event_data": event}
    assert ask(App(), "/gradio_api/run/predict", "POST", call)[0] == 200


@pytest.mark.parametrize("number", [3, -1, True, "0", None, [], 1.0])
def test_an_example_is_one_there_is(number):
    call = {**GOOD, "fn_index": 5, "data": [number]}
    assert ask(App(), "/gradio_api/run/predict", "POST", call)[0] == 400
    assert ask(App(), "/gradio_api/run/predict", "POST", {**call, "data": [2]})[0] == 200


@pytest.mark.parametrize("path", ["/etc/passwd", "http://169.254.169.254/", "", "/mine/../x"])
def test_only_what_was_uploaded_can_be_named(path):
    file = {"path": path, "meta": {"_type": "gradio.FileData"}}
    call = {**GOOD, "data": [[{"deep": file}]]}
    assert ask(App(), "/gradio_api/queue/join", "POST", call)[0] == 400
    file["path"] = "/mine"
    assert ask(App(), "/gradio_api/queue/join", "POST", call)[0] == 200


@pytest.mark.parametrize("named", [{}, {"seed": 5}, {"prompt": "", "colour": "red"}])
def test_parameters_are_those_there_are(named):
    assert ask(App(), "/gradio_api/call/v2/submit", "POST", named)[0] == 400


def test_a_good_call_arrives_as_it_was_sent():
    app = App()
    for path in ("/gradio_api/queue/join", "/gradio_api/call/submit", "/gradio_api/run/x"):
        assert ask(app, path, "POST", GOOD)[0] == 200
    assert app.bodies == [json.dumps(GOOD).encode()] * 3
    assert ask(app, "/gradio_api/call/v2/submit", "POST", {"prompt": "x"})[0] == 200


def test_what_is_too_large_is_refused_before_it_is_read():
    too_much = {"content_length": str(MAX_JSON_BYTES + 1)}
    assert ask(App(), "/gradio_api/queue/join", "POST", GOOD, **too_much)[0] == 413
    too_much = {"content_length": str(MAX_UPLOAD_BYTES * 2)}
    assert ask(App(), "/gradio_api/upload", "POST", b"x", **too_much)[0] == 413
    only_at_home = {"content_length": str(MAX_UPLOAD_BYTES)}
    assert ask(App(), "/gradio_api/upload", "POST", b"x", **only_at_home)[0] == 200
    assert ask(App(), "/gradio_api/upload", "POST", b"x", public=True, **only_at_home)[0] == 413


def test_what_does_not_say_how_large_it_is_is_counted():
    unsaid = {"content_length": ""}
    big = json.dumps({"data": ["x" * MAX_JSON_BYTES]}).encode()
    assert ask(App(), "/gradio_api/queue/join", "POST", big, **unsaid)[0] == 413
    assert ask(App(), "/gradio_api/upload", "POST", b"x", **unsaid)[0] == 411


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:7860", "", "localhost.evil.example"]
)
def test_a_private_studio_answers_to_its_own_names_only(host):
    assert ask(App(), host=host)[0] == 403
    assert ask(App(), host=host, public=True)[0] == 200


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:7860", "[::1]:7860", "LOCALHOST:1"])
def test_a_private_studio_knows_its_names(host):
    assert ask(App(), host=host)[0] == 200


@pytest.mark.parametrize("path", ["upload", "queue/join", "mcp/"])
@pytest.mark.parametrize("site", ["cross-site", "same-site", ""])
def test_a_page_of_another_site_cannot_send_anything(path, site):
    app, headers = App(), {"sec_fetch_site": site, "origin": "https://evil.example"}
    assert ask(app, f"/gradio_api/{path}", "POST", GOOD, **headers)[0] == 403
    assert ask(app, "/", **headers)[0] == 200  # a link leads here
    if site:
        assert ask(app, f"/gradio_api/{path}", "POST", GOOD, public=True, **headers)[0] == 403
    assert len(app.bodies) == 1


@pytest.mark.parametrize("origin", ["null", "http://localhost:8000", "http://localhost"])
def test_another_page_of_this_computer_is_another_site(origin):
    assert ask(App(), "/gradio_api/upload", "POST", b"x", origin=origin)[0] == 403


def test_the_own_page_and_programs_may_send():
    own = {"origin": "http://localhost:7860"}
    behind_a_proxy = {"host": "127.0.0.1", "origin": "https://studio.example.org"}
    for headers in ({}, own, {**behind_a_proxy, "sec_fetch_site": "same-origin"}):
        for public in (False, True):
            asked = ask(App(), "/gradio_api/queue/join", "POST", GOOD, public=public, **headers)
            assert asked[0] == 200
    assert ask(App(), "/gradio_api/upload", "POST", b"x", public=True, **behind_a_proxy)[0] == 200


def test_a_browser_gets_a_token_once_and_only_in_public():
    _, headers, _ = ask(App(), public=True)
    name, _, value = headers["set-cookie"].partition(";")[0].partition("=")
    assert (name, is_token(value)) == (COOKIE, True)
    assert "HttpOnly; SameSite=Lax" in headers["set-cookie"]
    assert "set-cookie" not in ask(App(), public=True, cookie=f"a=b; {COOKIE}={TOKEN}")[1]
    assert "set-cookie" in ask(App(), public=True, cookie=f"{COOKIE}=me")[1]
    assert "set-cookie" not in ask(App())[1]


def test_a_sentence_of_ours_is_no_fault_of_the_server():
    told, fault = (json.dumps({"error": error}).encode() for error in ("Say more.", None))
    assert ask(App(500, told), "/gradio_api/run/x", "POST", GOOD)[0] == 422
    assert ask(App(500, fault), "/gradio_api/run/x", "POST", GOOD)[0] == 500


def test_a_fault_is_told_by_number_and_only_logged(caplog):
    status, _, text = ask(App(error=ZeroDivisionError("secret")))
    sentence = json.loads(text)["detail"]
    assert status == 500
    assert "secret" not in text
    assert sentence.split("request ")[1][:8] in caplog.text
    assert "ZeroDivisionError" in caplog.text


def test_passwords_are_not_tried_out_fast():
    guard = make_guard(App())
    tries = [ask_at(guard, "/login", "POST", b"x")[0] for _ in range(LOGINS_PER_MINUTE + 1)]
    assert tries == [200] * LOGINS_PER_MINUTE + [429]
    assert ask_at(guard, "/login", "POST", b"x", client="10.0.0.2")[0] == 200


def test_one_address_cannot_fill_the_disk_or_the_server(monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(guards, "POSTS_PER_MINUTE", 3)
        guard = make_guard(App())
    asked = [ask_at(guard, "/gradio_api/queue/join", "POST", GOOD)[0] for _ in range(4)]
    assert asked == [200, 200, 200, 429]
    guard = make_guard(App())
    length = {"content_length": str(MAX_PUBLIC_UPLOAD_BYTES)}
    sent = [ask_at(guard, "/gradio_api/upload", "POST", b"x", **length)[0] for _ in range(9)]
    assert sent == [200] * 8 + [429]


def test_answers_tell_browsers_not_to_guess():
    assert ask(App())[1]["x-content-type-options"] == "nosniff"
