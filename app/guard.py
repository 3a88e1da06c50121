"""Stands before Gradio: lets in what the page and programs need, in the form and size they need it.

Gradio serves more than this page uses (a proxy, fetching of web addresses, recordings, links to the
state of a page), and answers a malformed body with a fault of its own. Neither reaches it.
"""

import json
import logging
import re
import secrets
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import cookie_parser
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app import texts
from app.rate_limit import RateLimit
from app.strict_json import MAX_JSON_BYTES, parse_json
from app.uploads import MAX_PUBLIC_UPLOAD_BYTES, max_upload_bytes
from app.visitors import COOKIE, is_token, new_token

logger = logging.getLogger(__name__)

MAX_JSON_DEPTH = 32
MAX_VALUES = 100

POSTS_PER_MINUTE = 1200
"""From one address. The page asks at every key that is typed, and a class room may share one."""

LOGINS_PER_MINUTE = 10
UPLOADED_BYTES_PER_HOUR = 8 * MAX_PUBLIC_UPLOAD_BYTES

_API = "/gradio_api"
_READ = re.compile(
    r"/(config|theme\.css|robots\.txt|favicon\.ico|manifest\.json|logout|login)?/?"
    r"|/(static|assets|svelte|pwa_icon)(/.*)?"
    rf"|{_API}/(info|openapi\.json|app_id|startup-events|user|login_check|theme\.css)/?"
    rf"|{_API}/(queue/(data|status)|upload_progress|heartbeat/[^/]+|call/.+)"
)
_FILE = re.compile(rf"{_API}/file=(?!/*[a-z][a-z0-9+.-]*:/).+", re.IGNORECASE | re.DOTALL)
_MCP = re.compile(rf"{_API}/mcp(/.*)?")
_WRITE = re.compile(
    rf"/login/?|{_API}/(upload|cancel|reset|queue/join|(call(/v2)?|run|api)/[^/]+)/?"
)
_WITH_FUNCTION = re.compile(rf"{_API}/(?:queue/join|(call|run|api)/(?:v2/)?([^/]+))/?")
_SESSION = re.compile(r"[\w-]{1,64}", re.ASCII)
_OWN_NAMES = frozenset(("localhost", "127.0.0.1", "[::1]", "::1"))


class Function(NamedTuple):
    """What can be called.

    Args:
        name: What it is called; empty if only the page calls it, by number.
        num_inputs: How many values it takes.
        is_optional: Of each parameter that a program gives by name, whether it may be left out.
        is_told_of_event: Whether it has to know what exactly was clicked.
        num_examples: Of each value that chooses one of a list of examples, how many there are.
    """

    name: str
    num_inputs: int
    is_optional: Mapping[str, bool]
    is_told_of_event: bool = False
    num_examples: Mapping[int, int] = MappingProxyType({})


class Refused(Exception):  # noqa: N818 - it is an answer
    """A request that gets no further.

    Args:
        status: Of HTTP.
        sentence: What is wrong.
    """

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


class Guard:
    """An ASGI middleware.

    Args:
        app: What it stands before.
        is_public: Whether there are visitors, who get a token and have limits. If not, only pages
            opened under a name of this computer are served: a web site that gives its own name
            this computer's address gets nothing.
        is_secure: Whether the page may be shown inside that of another site over HTTPS, as a Space
            is: then the browser is told to keep the token there, too.
        functions: What can be called, by its number.
        may_name: Whether a file may be named in a call: one that was uploaded, or a result.
        may_read: Whether a file may be given out, if Gradio would.
    """

    def __init__(
        self,
        app: ASGIApp,
        is_public: bool,
        functions: Mapping[int, Function],
        may_name: Callable[[str], bool],
        may_read: Callable[[str], bool],
        is_secure: bool = False,
    ) -> None:
        self._app = app
        self._is_public = is_public
        self._is_secure = is_secure
        self._max_upload = max_upload_bytes(is_public)
        self._functions = functions
        self._names = {function.name: function for function in functions.values()}
        self._may_name = may_name
        self._may_read = may_read
        self._posts = RateLimit(POSTS_PER_MINUTE, 60)
        self._logins = RateLimit(LOGINS_PER_MINUTE, 60)
        self._uploads = RateLimit(UPLOADED_BYTES_PER_HOUR, 3600)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, or refuse it with a sentence."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            return  # no part of the page talks through a web socket; the server closes it
        answer = _Answer(send, self._new_cookie(scope), _is_direct_call(scope))
        try:
            self._check_place(scope)
            await self._check_file(scope)
            await self._app(scope, await self._checked_body(scope, receive), answer.send)
        except Refused as refused:
            await answer.say(scope, receive, refused.status, str(refused))
        except Exception as error:
            if isinstance(error.__cause__, HTTPException):  # the stream of a page that is not open
                await answer.end()
                return
            number = secrets.token_hex(4)
            logger.exception("Request %s (%s %s) failed", number, scope["method"], scope["path"])
            await answer.say(scope, receive, 500, texts.request_failed(number))

    def _check_place(self, scope: Scope) -> None:
        path, method = scope["path"], scope["method"]
        if not self._is_public:
            host = Headers(scope=scope).get("host", "")
            if re.sub(r":\d*$", "", host).lower() not in _OWN_NAMES:
                raise Refused(403, texts.NOT_THIS_COMPUTER)
        if method == "POST" and not self._is_from_own_page(Headers(scope=scope)):
            raise Refused(403, texts.OTHER_SITE)
        if _MCP.fullmatch(path):
            return
        reading = method in ("GET", "HEAD") and (_READ.fullmatch(path) or _FILE.fullmatch(path))
        if not reading and not (method == "POST" and _WRITE.fullmatch(path)):
            raise Refused(404, texts.NOTHING_THERE)
        if "\0" in path or len(path) > 4096:
            raise Refused(400, texts.BAD_REQUEST)
        if self._is_public and method == "POST":
            address = _address(scope)
            limit = self._logins if path.startswith("/login") else self._posts
            if not limit.take(address):
                raise Refused(429, texts.TOO_MANY_REQUESTS)

    async def _check_file(self, scope: Scope) -> None:
        """Refuse what is not shown any more; the answer is that of a file that never was."""
        path = scope["path"]
        if _FILE.fullmatch(path):
            name = path.partition("file=")[2]
            if not await run_in_threadpool(self._may_read, name):
                raise Refused(404, texts.NOTHING_THERE)

    def _is_from_own_page(self, headers: Headers) -> bool:
        """Whether the page sends this, or a program: a page of another site must not, unseen."""
        site = headers.get("sec-fetch-site")
        if site is not None:
            return site in ("same-origin", "none")
        origin = headers.get("origin")  # of an old browser; a proxy may have changed the host
        if origin is None or self._is_public:
            return True
        return origin.partition("://")[2].lower() == headers.get("host", "").lower()

    async def _checked_body(self, scope: Scope, receive: Receive) -> Receive:
        if scope["method"] != "POST":
            return receive
        path = scope["path"].rstrip("/")
        length = _announced_length(scope)
        if path == f"{_API}/upload":
            if length is None:
                raise Refused(411, texts.BAD_REQUEST)
            if length > self._max_upload + 2**16:  # with what stands around the file
                raise Refused(413, texts.upload_too_large(self._max_upload))
            if self._is_public and not self._uploads.take(_address(scope), length):
                raise Refused(429, texts.TOO_MUCH_UPLOADED)
            return receive  # the server cuts it off at the announced length
        body = await _read(receive, length)
        if _MCP.fullmatch(path) or path == "/login":
            return _replay(body, receive)
        self._check_call(path, _parse(body))
        return _replay(body, receive)

    def _check_call(self, path: str, call: Any) -> None:  # noqa: ANN401 - JSON is anything
        """Refuse what Gradio would take for granted."""
        if not isinstance(call, dict):
            raise Refused(400, texts.BAD_REQUEST)
        session = call.get("session_hash")
        if session is not None and not (isinstance(session, str) and _SESSION.fullmatch(session)):
            raise Refused(400, texts.BAD_REQUEST)
        match = _WITH_FUNCTION.fullmatch(path)
        if match is None:
            return
        kind, name = match.groups()
        number = call.get("fn_index")
        numbered = self._functions.get(number) if type(number) is int else None  # counts for Gradio
        function = self._names.get(name) if kind in ("call", "api") else numbered
        if function is None or not (number is None or numbered is function):
            raise Refused(404, texts.NOTHING_THERE)
        if "/call/v2/" in path:
            _check_named(call, function.is_optional)
        else:
            values, event = call.get("data"), call.get("event_data")
            if function.is_told_of_event and not isinstance(event, dict):
                raise Refused(400, texts.BAD_REQUEST)
            if not isinstance(values, list) or call.get("batched"):
                raise Refused(400, texts.BAD_REQUEST)
            if not function.num_inputs <= len(values) <= MAX_VALUES:
                raise Refused(400, texts.wrong_number_of_values(len(values), function.num_inputs))
            for place, num_examples in function.num_examples.items():
                if type(values[place]) is not int or not 0 <= values[place] < num_examples:
                    raise Refused(400, texts.BAD_REQUEST)
        for file in _files_in(call):
            if not self._may_name(file):
                raise Refused(400, texts.FILE_IS_GONE)

    def _new_cookie(self, scope: Scope) -> str | None:
        """A token for a browser that has none yet, when it opens the page."""
        if not self._is_public or scope["method"] != "GET" or scope["path"] != "/":
            return None
        if is_token(cookie_parser(Headers(scope=scope).get("cookie", "")).get(COOKIE)):
            return None
        manners = "Max-Age=31536000; Path=/; HttpOnly; SameSite="
        where = "None; Secure; Partitioned" if self._is_secure else "Lax"
        return f"{COOKIE}={new_token()}; {manners}{where}"


class _Answer:
    """Passes an answer on, with headers of ours."""

    def __init__(self, send: Send, cookie: str | None, is_direct_call: bool) -> None:
        self._send = send
        self._cookie = cookie
        self._is_direct_call = is_direct_call
        self._held: Message | None = None
        self._has_begun = False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers["X-Content-Type-Options"] = "nosniff"
            headers["Referrer-Policy"] = "same-origin"
            if self._cookie:
                headers.append("Set-Cookie", self._cookie)
            if self._is_direct_call and message["status"] == 500:
                self._held = message  # until it is seen what it is about
                return
        if self._held is not None:
            start, self._held = self._held, None
            if _is_told(message.get("body", b"")):
                start["status"] = 422
            await self._send(start)
        self._has_begun = True
        await self._send(message)

    async def say(self, scope: Scope, receive: Receive, status: int, sentence: str) -> None:
        if self._has_begun:
            await self.end()
        else:
            answer = JSONResponse({"detail": sentence, "error": sentence}, status)
            await answer(scope, receive, self.send)

    async def end(self) -> None:
        await self._send({"type": "http.response.body", "body": b"", "more_body": False})


def _is_direct_call(scope: Scope) -> bool:
    return scope["method"] == "POST" and scope["path"].startswith((f"{_API}/run/", f"{_API}/api/"))


def _is_told(body: bytes) -> bool:
    """Whether Gradio's answer holds a sentence of ours: it calls that a fault of the server."""
    try:
        return isinstance(json.loads(body)["error"], str)
    except (ValueError, KeyError, TypeError):
        return False


def _address(scope: Scope) -> str:
    return scope["client"][0] if scope.get("client") else ""


def _announced_length(scope: Scope) -> int | None:
    length = Headers(scope=scope).get("content-length")
    if length is None:
        return None
    if not (length.isascii() and length.isdigit()):
        raise Refused(400, texts.BAD_REQUEST)
    return int(length)


async def _read(receive: Receive, length: int | None) -> bytes:
    if length is not None and length > MAX_JSON_BYTES:
        raise Refused(413, texts.REQUEST_TOO_LARGE)
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Refused(400, texts.BAD_REQUEST)
        body += message.get("body", b"")
        if len(body) > MAX_JSON_BYTES:
            raise Refused(413, texts.REQUEST_TOO_LARGE)
        if not message.get("more_body"):
            return bytes(body)


def _replay(body: bytes, receive: Receive) -> Receive:
    """Give a body that was read already, then what comes after it."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return messages.pop() if messages else await receive()

    return replay


def _parse(body: bytes) -> Any:  # noqa: ANN401 - JSON is anything
    try:
        found = parse_json(body.decode())
        json.dumps(found, ensure_ascii=False).encode()  # halves of characters
        _check_depth(found)
    except (ValueError, RecursionError) as error:
        raise Refused(400, texts.BAD_REQUEST) from error
    return found


def _check_named(call: Mapping[str, Any], is_optional: Mapping[str, bool]) -> None:
    for name in call:
        if name not in is_optional:
            raise Refused(400, texts.no_such_field(name, is_optional))
    for name, may_be_left_out in is_optional.items():
        if name not in call and not may_be_left_out:
            raise Refused(400, texts.parameter_is_missing(name))


def _files_in(value: Any) -> Iterator[str]:  # noqa: ANN401 - JSON is anything
    """The paths in a call that Gradio takes for files.

    Raises:
        Refused: Something is a file by half.
    """
    if isinstance(value, dict):
        if "path" in value and "meta" in value:
            path, url = value["path"], value.get("url")
            if not isinstance(path, str) or not isinstance(value["meta"], dict):
                raise Refused(400, texts.BAD_REQUEST)
            if not (url is None or isinstance(url, str)):
                raise Refused(400, texts.BAD_REQUEST)
            yield path
        value = list(value.values())
    if isinstance(value, list):
        for inner in value:
            yield from _files_in(inner)


def _check_depth(value: Any) -> None:  # noqa: ANN401 - JSON is anything
    level = [value]
    for _ in range(MAX_JSON_DEPTH):
        level = [
            inner
            for outer in level
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
        if not level:
            return
    raise ValueError("too deep")
