"""Gradio shows no message of an event that is not queued: only what never refuses may be so."""

import asyncio

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


def test_what_can_refuse_is_queued_so_that_its_sentence_pops_up(service):
    async def events():
        return list(create_page(service).fns.values())

    unqueued = {
        event.fn.__qualname__
        for event in asyncio.run(events())
        if event.fn and not event.queue and "<locals>" not in event.fn.__qualname__
    }
    assert unqueued - NEVER_REFUSE == set()
    assert unqueued
