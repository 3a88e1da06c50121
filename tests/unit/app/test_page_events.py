"""What all events of the page have in common.

Gradio shows no message of an event that is not queued: only what never refuses may be so.
"""

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


def page_of(service):
    async def page():
        return create_page(service)

    return asyncio.run(page())


def events_of(service):
    return list(page_of(service).fns.values())


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


def test_the_steps_of_an_event_are_told_to_no_part_of_the_page(service):
    """Gradio tells each to all outputs of all events so far: a third of what loading costs."""
    told = [e.show_progress_on for e in events_of(service) if e.api_visibility == "private"]
    assert len(told) > 200
    assert all(parts == [] for parts in told)


def test_no_event_waits_for_another(service):
    page = page_of(service)
    assert {event.concurrency_limit for event in page.fns.values()} == {"default"}
    assert page._queue.default_concurrency_limit is None
