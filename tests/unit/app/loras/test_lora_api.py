"""What programs ask for, without a server."""

from pathlib import Path

import pytest
from gradio.utils import get_upload_folder

from app.lora_api import LoraApi
from app.visitors import Visitors
from tests.unit.app.loras.conftest import write_pictures


@pytest.fixture
def api(service):
    service.pause(True)
    return LoraApi(service, Visitors())


@pytest.fixture
def uploads(tmp_path, monkeypatch) -> list[str]:
    """Pictures where Gradio puts what was uploaded."""
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "uploads"))
    folder = Path(get_upload_folder())
    folder.mkdir()
    return write_pictures(folder / "pictures")


def train(api, files, **changes):
    return api.train_lora(None, **{"files": files, "name": "My zog", "token": "zog", **changes})


def test_two_calls_may_share_what_was_uploaded_as_each_job_has_its_own_pictures(
    api, service, uploads
):
    first = service.get(train(api, uploads)["id"])
    assert all(Path(file).exists() for file in uploads)
    second = service.get(train(api, uploads, name="The same", keeps_pictures=True)["id"])
    for job in (first, second):
        assert all(picture.file.exists() for picture in job.request.pictures)


def test_a_training_is_thrown_away_with_its_pictures(api, service, uploads):
    queued = train(api, uploads)
    kept = [picture.file for picture in service.get(queued["id"]).request.pictures]
    assert api.discard_training(None, queued["id"])["is_deleted"]
    assert not any(file.exists() for file in kept)
    with pytest.raises(Exception, match="There is no job none"):
        api.discard_training(None, "none")
