"""What docs/api.md says can be copied: its examples are run as they stand, on real videos."""

import io
import re
import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest
from gradio_client import Client
from PIL import Image

from lavie.media import open_video
from tests.integration.test_api import PROMPT

pytestmark = [
    pytest.mark.integration,
    pytest.mark.filterwarnings("ignore"),  # of gradio's and its client's own threads
]

STUDIO_FLAGS = ("--real",)

DOCS = Path(__file__).parents[2] / "docs" / "api.md"
SIZE = (16, 40, 64)


def example(language: str) -> str:
    """The first example in a language."""
    return re.search(rf"```{language}\n(.*?)```", DOCS.read_text("utf-8"), re.DOTALL)[1]


@pytest.fixture(scope="module")
def fetch(studio, tmp_path_factory):
    """Make a video, and fetch it in any format."""
    folder = tmp_path_factory.mktemp("got")
    client = Client(studio.url, verbose=False, download_files=folder)
    job_id = client.predict(prompt=PROMPT, num_inference_steps=2, api_name="/submit")["id"]
    job = client.submit(job_id, api_name="/follow").result(timeout=300)
    assert job["state"] == "done", job
    return lambda kind: Path(client.predict(job_id=job_id, format=kind, api_name="/files"))


@pytest.mark.parametrize("kind", ["mp4", "webm"])
def test_a_video_is_fetched_as_a_video(fetch, kind):
    path = fetch(kind)
    assert path.suffix == f".{kind}"
    with open_video(path) as video:
        assert len(video) == SIZE[0]
        assert video.metadata["prompt"] == PROMPT


def test_a_video_is_fetched_as_a_gif(fetch):
    with Image.open(fetch("gif")) as image:
        assert (image.format, image.is_animated) == ("GIF", True)
        assert image.size[0] / image.size[1] == SIZE[2] / SIZE[1]


def test_a_video_is_fetched_as_pictures(fetch):
    with ZipFile(fetch("frames")) as archive:
        pictures = [name for name in archive.namelist() if name.endswith(".png")]
        assert len(pictures) == SIZE[0]
        with Image.open(io.BytesIO(archive.read(pictures[0]))) as image:
            assert image.size == (SIZE[2], SIZE[1])


def test_everything_of_a_video_is_fetched_at_once(fetch):
    with ZipFile(fetch("zip")) as archive:
        assert archive.testzip() is None
        assert {Path(name).suffix for name in archive.namelist()} == {
            *(".mp4", ".mkv", ".json", ".webm", ".gif", ".zip")
        }


def test_the_example_for_curl_makes_a_video_and_fetches_it(studio, tmp_path):
    script = example("bash").replace("http://127.0.0.1:7860", studio.url)
    subprocess.run(["bash", "-euo", "pipefail", "-c", script], cwd=tmp_path, check=True)
    with open_video(tmp_path / "video.mp4") as video:
        assert video.shape[:3] == SIZE


def test_the_example_for_python_makes_the_same_video_again(studio, tmp_path):
    script = example("python").replace("http://127.0.0.1:7860", studio.url)
    script += "\nassert again['settings'] == job['settings'], (again, job)"
    subprocess.run([sys.executable, "-c", script], cwd=tmp_path, check=True)
