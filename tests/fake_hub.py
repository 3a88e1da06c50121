"""A model hub on the loopback address that speaks as much of the protocol as a download needs."""

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

COMMIT = "0" * 39 + "1"


@dataclass
class FakeHub:
    """Serves ``folders[repository]`` at `endpoint` and remembers what was fetched.

    Attributes:
        folders: Of the repositories, by hub id.
        endpoint: Its address.
        fetched: Names of the files that were sent, in order; with ``@`` and where they were begun.
        cuts: Of the next answers, how many bytes to send before the connection breaks; None: all.
        damaged: Names of files that are sent with a wrong byte.
        silence: Set while an answer stands still after its first bytes.
        is_busy: Whether it answers 503 to everything.
        has_ranges: Whether it can send the rest of a file.
    """

    folders: dict[str, Path]
    endpoint: str = ""
    fetched: list[str] = field(default_factory=list)
    cuts: list[int | None] = field(default_factory=list)
    damaged: set[str] = field(default_factory=set)
    silence: threading.Event | None = None
    is_busy: bool = False
    has_ranges: bool = True

    def find(self, path: str) -> Path | None:
        """The file behind ``/<owner>/<name>/resolve/<revision>/<file>``."""
        parts = path.split("?")[0].strip("/").split("/")
        folder = self.folders.get("/".join(parts[:2]))
        file = folder.joinpath(*parts[4:]) if folder and parts[2:3] == ["resolve"] else None
        return file if file and file.is_file() else None

    def listing(self, path: str) -> bytes | None:
        """The answer to ``/api/models/<owner>/<name>/<revision or tree>/<revision>``."""
        parts = path.split("?")[0].strip("/").split("/")
        name = "/".join(parts[2:4])
        if parts[:2] != ["api", "models"] or name not in self.folders:
            return None
        folder = self.folders[name]
        files = [file for file in folder.rglob("*") if file.is_file()]
        names = [str(file.relative_to(folder)) for file in files]
        if parts[4:5] == ["tree"]:
            sizes = [file.stat().st_size for file in files]
            entries = [
                {"type": "file", "path": name, "size": size, "oid": COMMIT}
                for name, size in zip(names, sizes, strict=True)
            ]
            return json.dumps(entries).encode()
        siblings = [{"rfilename": name} for name in names]
        return json.dumps({"id": name, "sha": COMMIT, "siblings": siblings}).encode()

    def knows(self, path: str) -> bool:
        """Whether the path's repository exists."""
        return "/".join(path.strip("/").split("/")[:2]) in self.folders

    def content(self, file: Path) -> bytes:
        """What is sent of a file."""
        content = file.read_bytes()
        return content[:-1] + b"!" if file.name in self.damaged else content


def checksum(file: Path) -> str:
    """As the hub gives it: of weights their SHA-256, of what is in git its SHA-1."""
    content = file.read_bytes()
    if file.suffix in (".pt", ".bin", ".safetensors"):
        return hashlib.sha256(content).hexdigest()
    return hashlib.sha1(f"blob {len(content)}\0".encode() + content).hexdigest()


@contextmanager
def serve_hub(folders: dict[str, Path]) -> Iterator[FakeHub]:
    """Serve folders as hub repositories until the block ends."""
    hub = FakeHub(folders)

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self._answer(0)

        def do_GET(self) -> None:
            if listing := hub.listing(self.path):
                self.send_response(200)
                self.send_header("Content-Length", str(len(listing)))
                self.end_headers()
                self.wfile.write(listing)
                return
            start = int(self.headers.get("Range", "bytes=0-")[len("bytes=") : -1])
            start = start if hub.has_ranges else 0
            if file := self._answer(start):
                hub.fetched.append(f"{file.name}@{start}" if start else file.name)
                cut = hub.cuts.pop(0) if hub.cuts else None
                rest = hub.content(file)[start:]
                if hub.silence:
                    self.wfile.write(rest[:3])
                    self.wfile.flush()
                    hub.silence.wait()
                self.wfile.write(rest[:cut])

        def _answer(self, start: int) -> Path | None:
            if hub.is_busy:
                self.send_error(503)
                return None
            file = hub.find(self.path)
            self.send_response(404 if file is None else 206 if start else 200)
            if file:
                self.send_header("X-Repo-Commit", COMMIT)
                self.send_header("ETag", f'"{checksum(file)}"')
            else:
                code = "EntryNotFound" if hub.knows(self.path) else "RepoNotFound"
                self.send_header("X-Error-Code", code)
            self.send_header("Content-Length", str(file.stat().st_size - start if file else 0))
            self.end_headers()
            return file

        def log_message(self, *args: object) -> None:
            """Keep the test's output clean."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.handle_error = lambda *_: None  # a client that hangs up is part of the tests
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    hub.endpoint = f"http://127.0.0.1:{server.server_port}"
    try:
        yield hub
    finally:
        if hub.silence:
            hub.silence.set()
        server.shutdown()
        server.server_close()
        thread.join()
