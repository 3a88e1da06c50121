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
    """Serves ``folders[repository]`` at `endpoint` and remembers what was fetched."""

    folders: dict[str, Path]
    endpoint: str = ""
    fetched: list[str] = field(default_factory=list)

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


@contextmanager
def serve_hub(folders: dict[str, Path]) -> Iterator[FakeHub]:
    """Serve folders as hub repositories until the block ends."""
    hub = FakeHub(folders)

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self._answer()

        def do_GET(self) -> None:
            if listing := hub.listing(self.path):
                self.send_response(200)
                self.send_header("Content-Length", str(len(listing)))
                self.end_headers()
                self.wfile.write(listing)
                return
            file = self._answer()
            if file:
                hub.fetched.append(file.name)
                self.wfile.write(file.read_bytes())

        def _answer(self) -> Path | None:
            file = hub.find(self.path)
            self.send_response(200 if file else 404)
            if file:
                self.send_header("X-Repo-Commit", COMMIT)
                self.send_header("ETag", f'"{hashlib.sha1(file.read_bytes()).hexdigest()}"')
            else:
                code = "EntryNotFound" if hub.knows(self.path) else "RepoNotFound"
                self.send_header("X-Error-Code", code)
            self.send_header("Content-Length", str(file.stat().st_size if file else 0))
            self.end_headers()
            return file

        def log_message(self, *args: object) -> None:
            """Keep the test's output clean."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    hub.endpoint = f"http://127.0.0.1:{server.server_port}"
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
