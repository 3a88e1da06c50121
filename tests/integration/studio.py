"""A studio in a process of its own, with a runner that takes a moment: see quick_studio.py."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Studio:
    url: str
    process: subprocess.Popen[str]
    data: Path
    log_file: Path

    @property
    def log(self) -> str:
        return self.log_file.read_text(encoding="utf-8", errors="replace")

    def tell(self, word: str) -> None:
        print(word, file=self.process.stdin, flush=True)
        self.hear(word)

    def hear(self, word: str) -> None:
        assert word in (line.strip() for line in self.process.stdout), self.log


@contextmanager
def serving(folder: Path, *flags: str) -> Iterator[Studio]:
    """The studio until the end of the block.

    Args:
        folder: For its data, cache and log.
        flags: Of quick_studio.py.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    data, log_file = folder / "data", folder / "log.txt"
    command = [sys.executable, "-m", "tests.integration.quick_studio", data, str(port), *flags]
    with (
        log_file.open("w") as log,
        subprocess.Popen(
            command,
            cwd=Path(__file__).parents[2],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env={**os.environ, "HF_HUB_OFFLINE": "1", "GRADIO_TEMP_DIR": str(folder / "cache")},
        ) as process,
    ):
        studio = Studio(f"http://127.0.0.1:{port}", process, data, log_file)
        try:
            studio.hear("ready")
            yield studio
        finally:
            process.terminate()
