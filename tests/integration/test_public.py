"""What visitors of a public studio see of each other, over the wire."""

import re
from pathlib import Path

import httpx
import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError

from app.visitors import COOKIE, HEADER, new_token
from tests.integration.test_api import PROMPT

pytestmark = [
    pytest.mark.integration,
    pytest.mark.filterwarnings("ignore"),  # of gradio's and its client's own threads
]

STUDIO_FLAGS = ("--public",)


@pytest.fixture(scope="module")
def visit(studio, tmp_path_factory):
    """Come as somebody new, known again by a header, a cookie or not at all."""

    def visit(name: str | None = HEADER) -> Client:
        token = new_token()
        known_by = {HEADER: {HEADER: token}, COOKIE: {"Cookie": f"{COOKIE}={token}"}, None: {}}
        got = tmp_path_factory.mktemp("got")
        return Client(studio.url, headers=known_by[name], verbose=False, download_files=got)

    return visit


def make(client: Client) -> str:
    job_id = client.predict(prompt=PROMPT, api_name="/submit")["id"]
    client.submit(job_id, api_name="/follow").result(timeout=60)
    return job_id


def listed(client: Client) -> list[str]:
    return [job["id"] for job in client.predict(api_name="/list")]


@pytest.mark.parametrize("known_by", [HEADER, COOKIE])
def test_everybody_lists_what_is_theirs(visit, known_by):
    anna, bert = visit(known_by), visit(known_by)
    job_id = make(anna)
    assert listed(anna) == [job_id]
    assert listed(bert) == []
    with pytest.raises(AppError, match="somebody else's"):
        bert.predict(job_id, api_name="/delete")
    assert anna.predict(job_id, api_name="/delete")["is_deleted"]


def test_who_is_not_known_has_no_list_but_can_follow_by_id(visit):
    nobody = visit(None)
    job_id = make(nobody)
    assert listed(nobody) == []
    assert nobody.predict(job_id, api_name="/status")["state"] == "done"
    assert nobody.predict(job_id=job_id, format="mp4", made_by="", api_name="/files")


def test_nobody_takes_all_places_of_the_queue(visit):
    anna = visit()
    told = []
    for _ in range(12):
        try:
            anna.predict(prompt=PROMPT, smooth=True, upscale=True, api_name="/submit")
        except AppError as error:
            told.append(str(error))
    assert any(re.search("At most 3 videos of yours|in a minute", sentence) for sentence in told)
    assert make(visit())


def test_what_was_thrown_away_is_there_for_its_owner_only_and_comes_back(visit, studio):
    anna, bert = visit(), visit()
    job_id = make(anna)
    file = bert.predict(job_id, "mp4", api_name="/files")
    (shown,) = (studio.data / "results").glob(f"*/{job_id}/base.video")
    address = f"{studio.url}/gradio_api/file={shown}"
    assert Path(file).is_file()
    assert httpx.get(address).status_code == 200
    anna.predict(job_id, api_name="/delete")
    assert httpx.get(address).status_code == 404
    for client in (anna, bert):
        with pytest.raises(AppError, match="was deleted"):
            client.predict(job_id, api_name="/files")
        with pytest.raises(AppError, match="was deleted"):
            client.predict(job_id, "interpolation", api_name="/submit_stage")
    assert anna.predict(job_id, api_name="/status")["is_deleted"]
    for endpoint in ("/status", "/follow"):
        with pytest.raises(AppError, match="There is no job"):
            bert.submit(job_id, api_name=endpoint).result(timeout=60)
    with pytest.raises(AppError, match="somebody else's"):
        bert.predict(job_id, True, api_name="/delete")
    anna.predict(job_id, True, api_name="/delete")
    assert httpx.get(address).status_code == 200
    assert Path(bert.predict(job_id, "mp4", api_name="/files")).is_file()
