"""The studio as tools for assistants, asked by the client that they use."""

import ast
import asyncio
import base64
import json
import time

import httpx
import pytest
from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client
from mcp.types import CallToolResult, Tool

from app.visitors import HEADER, new_token
from tests.integration.studio import serving
from tests.integration.test_api import PROMPT, PUBLIC

pytestmark = [
    pytest.mark.integration,
    pytest.mark.filterwarnings("ignore"),  # of gradio's and its client's own threads
]

STUDIO_FLAGS = ("--public", "--mcp")


class Assistant:
    """One who uses the tools, known again by a token."""

    def __init__(self, url: str) -> None:
        self._url = f"{url}/gradio_api/mcp/"
        self._headers = {HEADER: new_token()}

    def tools(self) -> list[Tool]:
        return asyncio.run(self._in_session(lambda session: session.list_tools())).tools

    def call(self, name: str, **arguments: object) -> CallToolResult:
        return asyncio.run(self._in_session(lambda session: session.call_tool(name, arguments)))

    def ask(self, name: str, **arguments: object):
        result = self.call(name, **arguments)
        assert not result.isError, result
        return ast.literal_eval(result.content[0].text)

    def make(self) -> str:
        job_id = self.ask("submit", prompt=PROMPT)["id"]
        for _ in range(600):
            if self.ask("status", job_id=job_id)["state"] == "done":
                return job_id
            time.sleep(0.1)
        raise TimeoutError(job_id)

    async def _in_session(self, use):
        async with (
            httpx.AsyncClient(headers=self._headers, timeout=60) as client,
            streamable_http_client(self._url, http_client=client) as (read, write, _),
            ClientSession(read, write) as session,
        ):
            await session.initialize()
            return await use(session)


@pytest.fixture
def anna(studio) -> Assistant:
    return Assistant(studio.url)


@pytest.fixture
def bert(studio) -> Assistant:
    return Assistant(studio.url)


def test_the_tools_are_the_endpoints_and_each_says_what_it_does(anna):
    tools = {tool.name: tool for tool in anna.tools()}
    assert set(tools) == {*PUBLIC, "history"} - {"list"}
    assert all(tool.description for tool in tools.values())
    properties = tools["submit"].inputSchema["properties"]
    assert properties["prompt"]["description"] == "What to show, in a sentence."
    assert "request" not in properties


def test_a_video_is_made_and_its_file_can_be_fetched(anna):
    job_id = anna.make()
    place = anna.call("files", job_id=job_id, format="mp4").content[0].text
    assert httpx.get(place).status_code == 200


def test_everybody_sees_what_is_theirs(anna, bert):
    job_id = anna.make()
    assert [job["id"] for job in anna.ask("history")] == [job_id]
    assert bert.ask("history") == []
    refused = bert.call("delete", job_id=job_id)
    assert refused.isError
    assert "somebody else's" in refused.content[0].text


@pytest.mark.parametrize("place", ["http://127.0.0.1:{port}/config", "/etc/passwd", "{data}"])
def test_no_file_of_the_server_and_no_address_is_read(anna, studio, place):
    port = studio.url.rpartition(":")[2]
    place = place.format(port=port, data=studio.data / "ledger.txt")
    for name in ("restore", "batch"):
        refused = anna.call(name, file=place)
        assert refused.isError
        assert "root:" not in str(refused)


def test_a_file_is_given_as_it_is(anna):
    recipe = {"stages": ["base"], "settings": {"base": {}}, "prompt": PROMPT, "seed": 11}
    content = base64.b64encode(json.dumps(recipe).encode()).decode()
    found = anna.ask("restore", file=f"data:application/json;base64,{content}")
    assert found["values"]["seed"] == "11"


def test_no_tool_works_without_the_password(tmp_path):
    with serving(tmp_path, "--mcp", "--auth") as studio:
        assert Assistant(studio.url).call("submit", prompt=PROMPT).isError
        assert not (studio.data / "ledger.txt").exists()
