"""Runs app.py as a ZeroGPU Space would, as far as that goes without one.

Real: the package ``spaces``, its decorator, its forked processes, what passes between them and the
page, its calls of the device service. Stood in for: that service (it always has a GPU), and the
part that lends PyTorch a CUDA device, which a PyTorch for CPUs does not have; so weights stay on
the CPU and their transfer is not seen.

``python -m tests.zero_gpu_space LOG FLAGS...`` writes the calls of the device service to LOG.
"""

import json
import os
import runpy
import sys
import tempfile
import threading
import types
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

ROOT = Path(__file__).parents[1]
_TORCH_PART = {"pack": 0, "size": 0, "is_in_bad_fork": False}
_TORCH_PART |= dict.fromkeys(("enter_mode", "patch", "unpatch", "init", "move"))


def serve_devices(log: Path) -> str:
    """The service that lends GPUs; gives its address."""

    class Devices(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            with log.open("a") as file:
                file.write(f"{self.path}\n")
            lent = {"idle": True, "nvidiaIndex": 0, "nvidiaUUID": "gpu", "allowToken": "token"}
            body = json.dumps(lent if self.path.startswith("/schedule") else {}).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Devices)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}"


def emulate(log: Path) -> None:
    """Make ``import spaces`` believe that it is on a ZeroGPU Space."""
    cgroup = Path(tempfile.mkstemp()[1])
    cgroup.write_text("0::/space\n")
    os.environ |= {
        "SPACES_ZERO_GPU": "true",
        "SPACES_ZERO_DEVICE_API_URL": serve_devices(log),
        "ZEROGPU_PROC_SELF_CGROUP_PATH": str(cgroup),
    }
    part = types.ModuleType("spaces.zero.torch")
    for name, value in _TORCH_PART.items():
        setattr(part, name, lambda *_, value=value, **__: value)
    sys.modules[part.__name__] = part


if __name__ == "__main__":
    emulate(Path(sys.argv[1]))
    sys.argv = ["app.py", *sys.argv[2:]]
    runpy.run_path(str(ROOT / "app.py"), run_name="__main__")
