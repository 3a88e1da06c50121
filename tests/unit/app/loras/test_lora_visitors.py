"""What the page of a public studio does with LoRAs, of which everybody has their own."""

import asyncio
import json
from types import SimpleNamespace

import gradio as gr
import pytest
from gradio.helpers import special_args

from app.handlers.lora import create_lora_handlers
from app.jobs.crew import ThreadCrew
from app.loras.service import Loras
from app.policy import Policy
from app.service import Service
from app.ui import create_page
from app.visitors import COOKIE, Visitors
from tests.unit.app.loras.files import write_lora

ANNA, BERT = "a" * 32, "b" * 32


def browser(token: str) -> gr.Request:
    client = SimpleNamespace(host="10.0.0.1")
    return gr.Request(SimpleNamespace(client=client, headers={}, cookies={COOKIE: token}))


@pytest.fixture
def public(card, runner, tmp_path):
    """A studio of many visitors, in which everything waits."""
    service = Service(card, ThreadCrew(runner), tmp_path / "public", Policy(is_public=True))
    yield service
    service._store.close()


@pytest.fixture
def chosen(public, tmp_path) -> str:
    """Anna's LoRA, as a form has it."""
    file = write_lora(tmp_path / "zog.safetensors", lavie_trigger_word="zog")
    entry = Loras(public).import_file(str(file), "Zog", f"visitor:{ANNA}")
    return json.dumps([{"id": entry.id, "weight": 1}])


@pytest.fixture
def trying(public, lora_tab_and_tabs):
    tab, tabs = lora_tab_and_tabs
    return create_lora_handlers(public, tab, tabs, [], Visitors(True), []).trying


def messages_of(event, chosen: str, token: str) -> list[str]:
    """What Gradio is told by the validator of an event whose other fields are as they came."""
    values = [chosen if "loras" in str(one.elem_id) else one.value for one in event.inputs]
    arguments, *_ = special_args(event.validator, values, browser(token))
    return [field["message"] for field in event.validator(*arguments)]


def test_no_tab_refuses_a_lora_to_its_owner_and_each_to_others(public, chosen):
    async def events():
        return list(create_page(public).fns.values())

    checked = {}
    for event in asyncio.run(events()):
        if event.validator and any("loras" in str(one.elem_id) for one in event.inputs):
            checked[event.validator.__qualname__] = event
    assert len(checked) == 3
    for event in checked.values():
        assert not any("no LoRA" in said for said in messages_of(event, chosen, ANNA))
        assert any("no LoRA" in said for said in messages_of(event, chosen, BERT))


def test_a_comparison_that_does_not_fit_the_queue_queues_nothing(public, trying, values, chosen):
    owner = f"visitor:{ANNA}"
    public.submit_all([values] * 2, owner)
    with pytest.raises(gr.Error, match="At most 3 videos"):
        trying.compare("", browser(ANNA), "a zog panda", chosen, "7")
    assert len(public.queue(owner)) == 2


def test_a_comparison_whose_other_half_cannot_be_made_queues_nothing(public, trying, chosen):
    with pytest.raises(gr.Error, match="know"):  # without the LoRA the word means nothing
        trying.compare("", browser(ANNA), "zog", chosen, "7")
    assert public.queue(f"visitor:{ANNA}") == []
