"""Gradio shows no message of an event that is not queued: only what never refuses may be so."""

import asyncio

import gradio as gr

from app.ui import create_page

NEVER_REFUSE = {
    "Editor.leave",
    "Editor.resume",
    "HistoryHandlers.refresh",
    "LoraFormHandlers.give_back",
    "LoraFormHandlers.suggest",
    "LoraLibraryHandlers.close",
    "LoraLibraryHandlers.refresh",
    "LongVideoHandlers.choose_beginning",
    "LongVideoHandlers.choose_end",
    "LongVideoHandlers.drop_source",
    "LongVideoHandlers.give_back",
    "LongVideoHandlers.read_form",
    "QueueHandlers.mark",
    "QueueHandlers.wake",
    "SettingsHandlers.give_back",
    "SettingsHandlers.offer_presets",
    "SettingsHandlers.surprise",
    "FormNotes.compose",
    "FormNotes.read_form",
    "FormNotes.show_model",
}


def events_of(service):
    async def events():
        return list(create_page(service).fns.values())

    return asyncio.run(events())


def test_what_can_refuse_is_queued_so_that_its_sentence_pops_up(service):
    unqueued = {
        event.fn.__qualname__
        for event in events_of(service)
        if event.fn and not event.queue and "<locals>" not in event.fn.__qualname__
    }
    assert unqueued - NEVER_REFUSE == set()
    assert unqueued


def test_a_choice_that_came_later_is_read_as_it_is_by_a_server_that_forgot_it(service):
    read = [
        (event, component.elem_id)
        for event in events_of(service)
        for component in event.inputs
        if isinstance(component, gr.Radio) and not component.choices
    ]
    assert {name for _, name in read} == {"shown", "film-shown", "opened-version"}
    assert [(event.fn, name) for event, name in read if event.preprocess] == []
