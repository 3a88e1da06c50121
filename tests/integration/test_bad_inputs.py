"""Several hundred bad requests, drawn at random but always the same, to everything there is."""

import io
import json
import os
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote
from zipfile import ZipFile

import httpx
import numpy as np
import pytest
from gradio_client import Client
from PIL import Image

from lavie.media import write_video
from tests.integration.studio import Studio, serving
from tests.integration.test_api import PROMPT, PUBLIC

pytestmark = [
    pytest.mark.integration,
    pytest.mark.filterwarnings("ignore"),  # of gradio's and its client's own threads
]

SEED = int(os.environ.get("BAD_SEED", "0"))
API = "/gradio_api"
FILE = {"meta": {"_type": "gradio.FileData"}}
VALUES = (
    *(None, True, False, 0, -1, 5, 1e308, -0.0, 2**31, 2**63, 2**64, 10**30, 0.1),
    *(
        "",
        " ",
        "x",
        "None",
        "nan",
        "-1",
        "1e999",
        "٣",
        "\0",
        "a\0b",
        "\r\n\r\n",
        "\x1b[31m",
        "\u202e",
    ),
    *(
        "../../../etc/passwd",
        "..\\..\\x",
        "/etc/passwd",
        "C:\\x",
        "file:///etc/passwd",
        "%2e%2e%2f",
    ),
    *("<script>alert(1)</script>", "{{7*7}}", "${7*7}", "'; DROP TABLE job; --", "%s%n", "🎬" * 99),
    *("a" * 5_000, "é" * 50_000, "20260101-000000-000000000000", "base", "super_resolution"),
    *([], [[]], {}, {"a": {"b": [1]}}, [None] * 90, {"__type__": "update", "value": 1}),
    *({**FILE, "path": "/etc/passwd"}, {**FILE, "path": "http://169.254.169.254/latest"}),
    *({**FILE, "path": None}, {**FILE, "path": ["x"]}, {"path": "x", "meta": 5}, {"path": "/x"}),
)
LORA_IDS = (
    *("../x", "../../jobs.sqlite3", "/etc/passwd", "..", "0" * 16, "<b>", "\0", "a" * 5_000),
    *(None, 5, [], {"id": "x"}),
)
BODIES = (
    *(b"", b"null", b"[]", b"5", b'"x"', b"{", b"{}", b"\xff\xfe\x00", b"a=b", b"[" * 100_000),
    *(b'{"data": [NaN]}', b'{"data": ["\\ud800"]}', b'{"data": [' + b"9" * 5_000 + b"]}"),
    *(b'{"data": null}', b'{"data": {}, "fn_index": 0}', b'{"data": [], "fn_index": 99999}'),
    *(b'{"data": [], "fn_index": "x"}', b'{"data": [], "fn_index": -1, "session_hash": "a"}'),
    *(b'{"data": [], "session_hash": "../../x"}', b'{"data": [], "batched": true, "fn_index": 1}'),
    *(
        b'{"data": [""], "event_id": "x", "fn_index": 9}',
        b'{"data": ' + b"[" * 99 + b"]" * 99 + b"}",
    ),
    *(b'{"data": ["' + b"x" * 2**20 + b'"]}', b'{"prompt": 5, "colour": 1}', b'{"event_id": {}}'),
)
PATHS = (
    *("/etc/passwd", "../../etc/passwd", "{data}/jobs.sqlite3", "{data}/jobs.sqlite3-wal"),
    *("{data}/results/../jobs.sqlite3", "{data}//jobs.sqlite3", "{data}/results/link", "{data}"),
    *("{data}/private/presets.json", "{data}/results", "{data}/ledger.txt", "{data}/JOBS.SQLITE3"),
    *("{data}/results/./../jobs.sqlite3", "http://127.0.0.1/", "https://example.org/", "//x/y"),
    *(
        "app.py",
        "README.md",
        "~/.bashrc",
        "\0",
        "a" * 5_000,
        "{data}/results/\0",
        "..",
        ".",
        "x\\y",
    ),
)
ROUTES = (
    *("deep_link", "proxy=http://127.0.0.1", "token", "run-history/records", "dev/reload"),
    *("stream/a/b/c/playlist.m3u8", "call/submit/nothing", "call/nothing/nothing", "queue/data"),
    *(
        "queue/data?session_hash=nobody",
        "upload_progress",
        "upload_progress?upload_id=x",
        "info?page=x",
    ),
    *("custom_component/x/client/y/z", "file/etc/passwd", "mcp/", "heartbeat/", "user", "nothing"),
)
TRACES = re.compile(r'Traceback|\.py"|site-packages|line \d+, in|Error:|object at 0x')


@dataclass
class Bad:
    """A request, and the file that goes before it."""

    method: str
    path: str
    options: dict[str, Any] = field(default_factory=dict)
    upload: tuple[str, bytes] | None = None
    others: tuple[object, ...] = ()
    is_in_list: bool = False

    def __str__(self) -> str:
        return f"{self.method} {self.path:.80} {self.options!s:.120} {self.upload!s:.60}"


def bad_requests(config: dict[str, Any], studio: Studio, video: bytes) -> Iterator[Bad]:
    chance = random.Random(SEED)
    parameters = {
        name.strip("/"): [item["parameter_name"] for item in endpoint["parameters"]]
        for name, endpoint in config["named"].items()
    }
    for name in sorted(PUBLIC):
        num = len(parameters[name])
        for _ in range(8):
            values = [
                chance.choice(VALUES) for _ in range(max(num + chance.choice((0, 0, 0, 1, -1)), 0))
            ]
            yield Bad("POST", f"{API}/call/{name}", {"json": {"data": values}})
        named = {chance.choice([*parameters[name], "x"]): chance.choice(VALUES) for _ in range(3)}
        yield Bad("POST", f"{API}/call/v2/{name}", {"json": named})
    for function in config["dependencies"]:
        for _ in range(3):
            values = [chance.choice(VALUES) for _ in function["inputs"]]
            body = {
                "data": values,
                "fn_index": function["id"],
                "session_hash": f"bad{chance.random()}"[:20].replace(".", ""),
            }
            event = {"job": chance.choice(VALUES)}
            body["event_data"] = chance.choice((None, {}, [], "fox", event))
            route = "queue/join" if function["queue"] else "run/predict"
            yield Bad("POST", f"{API}/{route}", {"json": body})
    for route in (
        "queue/join",
        "run/predict",
        "call/submit",
        "call/v2/submit",
        "cancel",
        "upload",
        "reset",
    ):
        for body in chance.sample(BODIES, 9):
            kind = chance.choice(
                ("application/json", "application/json", "text/plain", "", "multipart/form-data")
            )
            yield Bad(
                "POST", f"{API}/{route}", {"content": body, "headers": {"Content-Type": kind}}
            )
    for path in PATHS:
        path = path.format(data=studio.data)
        how = chance.choice((quote, str, lambda text: quote(quote(text, safe=""), safe="")))
        text = how(path) if how is not str or path.isprintable() else quote(path)
        yield Bad(chance.choice(("GET", "GET", "HEAD")), f"{API}/file={text}")
    for route in ROUTES:
        yield Bad(chance.choice(("GET", "GET", "POST", "PUT", "DELETE")), f"{API}/{route}")
    for name, content in bad_files(video):
        for endpoint in ("restore", "batch"):
            yield Bad("POST", f"{API}/call/{endpoint}", upload=(name, content))
    strangers = chance.sample(list(bad_files(video)), 8)
    for name, content in (*bad_pictures(), *strangers):
        words = name[:99], "zog", "", "thing", "quick", None, "", "", "", False
        yield Bad("POST", f"{API}/call/train_lora", {}, (name, content), words, True)
    for name, content in (*bad_weights(), *strangers):
        yield Bad("POST", f"{API}/call/import_lora", {}, (name, content), (name,))
    for lora_id in LORA_IDS:
        for endpoint, others in (
            ("rename_lora", ["x"]),
            ("tag_lora", [[]]),
            ("export_lora", ["x"]),
        ):
            yield Bad("POST", f"{API}/call/{endpoint}", {"json": {"data": [lora_id, *others]}})
        chosen = {"prompt": PROMPT, "loras": [{"id": lora_id, "weight": chance.choice(VALUES)}]}
        yield Bad("POST", f"{API}/call/v2/submit", {"json": chosen})


def bad_pictures() -> Iterator[tuple[str, bytes]]:
    for name, size, mode in (("small", (4, 4), "RGB"), ("bomb", (30_000, 30_000), "1")):
        picture = io.BytesIO()
        Image.new(mode, size).save(picture, "png")
        yield f"{name}.png", picture.getvalue()
        yield f"../../{name}.png", picture.getvalue()[:60]
    yield "page.png", b"<svg onload=alert(1)>"
    yield "<script>.jpg", b"\xff\xd8\xff\xe0" + b"\0" * 99


def bad_weights() -> Iterator[tuple[str, bytes]]:
    huge = {"dtype": "F32", "shape": [10**9, 10**9], "data_offsets": [0, 4]}
    for name, header in (
        ("list", []),
        ("bomb", {"lora_unet_x.lora_down.weight": huge}),
        ("../../name", {"../../x.lora_down.weight": {**huge, "shape": [-1]}}),
        ("<b>", {"__metadata__": {"modelspec.thumbnail": "data:image/png;base64,x"}}),
        ("many", {f"{n}.alpha": huge for n in range(30_000)}),
    ):
        text = json.dumps(header).encode()
        yield f"{name}.safetensors", len(text).to_bytes(8, "little") + text
    yield "long.safetensors", b"\xff" * 8 + b"{}"
    yield "short.safetensors", b"\x02"
    yield "pickle.safetensors", b"\x80\x04cos\nsystem\n(S'x'\ntR."
    yield "pickle.ckpt", b"\x80\x04cos\nsystem\n(S'x'\ntR."


def bad_files(video: bytes) -> Iterator[tuple[str, bytes]]:
    archive = io.BytesIO()
    with ZipFile(archive, "w") as zipped:
        zipped.writestr("../../../tmp/evil.py", "x")
    picture = io.BytesIO()
    Image.new("RGB", (4, 4)).save(picture, "png")
    recipe = {
        "stages": ["base"],
        "settings": {"base": {}},
        "prompt": "<img src=x onerror=alert(1)>",
        "seed": 1,
    }
    for content in (
        b"",
        b"<svg onload=alert(1)>",
        archive.getvalue(),
        picture.getvalue(),
        b"\0" * 99,
        os.urandom(99),
    ):
        for suffix in ("mp4", "json", "csv"):
            yield f"a.{suffix}", content
    yield "a.svg", b"<svg onload=alert(1)/>"
    yield "a.html", b"<script>alert(1)</script>"
    yield "a.zip", archive.getvalue()
    yield "polyglot.mp4", video + archive.getvalue()
    yield "cut.mp4", video[: len(video) // 2]
    yield "../../../etc/evil.json", json.dumps(recipe).encode()
    yield "a\r\nX: y.json", json.dumps(recipe).encode()
    yield "<b>.json", json.dumps({**recipe, "seed": 10**400}).encode()
    yield "deep.json", b'{"a":' * 50_000
    yield "nul\0.csv", b"prompt\nx\n"
    yield "wide.csv", b"prompt," + b"x," * 100_000
    yield "tall.jsonl", b"{}\n" * 10_000
    yield "a" * 300 + ".json", b"{}"
    yield "wrong.csv", b'prompt,seed\n"unclosed,5\n'


def answer_of(client: httpx.Client, bad: Bad) -> tuple[int, str]:
    """Status and text of the answer, and what came of it where it was only queued."""
    options = dict(bad.options)
    if bad.upload is not None:
        sent = client.post(f"{API}/upload", files={"files": bad.upload})
        if sent.status_code != 200:
            return sent.status_code, sent.text
        file = {**FILE, "path": sent.json()[0]}
        options["json"] = {"data": [[file] if bad.is_in_list else file, *bad.others]}
    answer = client.request(bad.method, bad.path, **options)
    text = answer.text
    if answer.status_code == 200 and "event_id" in text and bad.path.startswith(f"{API}/call/"):
        text += listen(client, f"{bad.path}/{answer.json()['event_id']}", "event: (complete|error)")
    elif answer.status_code == 200 and "event_id" in text and "json" in options:
        session = options["json"]["session_hash"]
        text += listen(client, f"{API}/queue/data?session_hash={session}", "process_completed")
    return answer.status_code, text


def listen(client: httpx.Client, url: str, end: str) -> str:
    heard = ""
    with client.stream("GET", url) as stream:
        for line in stream.iter_lines():
            heard += line + "\n"
            if re.search(end, heard) and not line:
                return heard
    return heard


@pytest.fixture(scope="module", params=["--private", "--public"])
def studio(request, tmp_path_factory) -> Iterator[Studio]:
    with serving(tmp_path_factory.mktemp("studio"), request.param) as studio:
        (studio.data / "results" / "link").symlink_to(studio.data / "jobs.sqlite3")
        yield studio


def test_nothing_bad_is_answered_by_a_fault_and_good_work_goes_on(studio, tmp_path):
    write_video(tmp_path / "a.mp4", np.zeros((4, 16, 16, 3), np.uint8), 8)
    video = (tmp_path / "a.mp4").read_bytes()
    with httpx.Client(base_url=studio.url, timeout=20) as client:
        config = client.get("/config").json()
        config["named"] = client.get(f"{API}/info").json()["named_endpoints"]
        requests = list(bad_requests(config, studio, video))
        faults = []
        for number, bad in enumerate(requests):  # from many places: one would be asked to wait
            client.headers["X-Forwarded-For"] = f"203.0.113.{number % 100 + 1}"
            status, text = answer_of(client, bad)
            if status >= 500 or (bad.path != "/" and TRACES.search(text)):
                faults.append(f"{status} {bad}: {text[:200]}")
            if "file=" in bad.path and status == 200:
                faults.append(f"served: {bad}")
        assert not faults, "\n".join(faults)
        assert len(requests) >= 1200
        assert client.get("/").status_code == 200
    assert studio.process.poll() is None
    assert re.findall(r"Request \w+ \(.*\) failed", studio.log) == []
    good = Client(studio.url, verbose=False)
    job = good.predict(prompt=PROMPT, seed=5, api_name="/submit")
    assert good.submit(job["id"], api_name="/follow").result(timeout=60)["state"] == "done"
