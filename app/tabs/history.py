"""The tab Your videos: its components and what they are called. Layout only."""

from collections.abc import Mapping
from dataclasses import dataclass

import gradio as gr

from app import texts
from app.tabs.poster import POSTER_SCRIPT
from app.tabs.result import create_player, create_versions
from app.tabs.scripts import script
from app.tabs.undo import UndoRow, create_undo_row
from app.texts import films

PAGE_SIZE = 24
"""So many more cards are shown at a time."""

EXPORT_ID = "history-file"
"""The button that nobody sees: it holds a file that was made because somebody asked for it."""

PANEL_ID = "opened"

_GALLERY_SCRIPT = script("gallery.js")


@dataclass(frozen=True)
class OpenedVideo:
    """The video that was chosen: what is seen of it, and what can be done with it.

    Args:
        job_id: Whose video; empty if none is open.
        compared: Job id and version of the one to show it beside; empty if none.
    """

    job_id: gr.State
    compared: gr.State
    panel: gr.Column
    video: gr.Video
    pair: gr.HTML
    hint: gr.Markdown
    about: gr.HTML
    seed: gr.Textbox
    shown: gr.Radio
    star: gr.Button
    reuse: gr.Button
    go_on: gr.Button
    make_longer: gr.Button
    compare: gr.Button
    delete: gr.Button
    close: gr.Button
    exports: Mapping[str, gr.Button]
    export_file: gr.DownloadButton


@dataclass(frozen=True)
class HistoryTab:
    """Everything on the tab that takes part in events."""

    tab: gr.Tab
    search: gr.Textbox
    only_starred: gr.Checkbox
    cards: gr.HTML
    more: gr.Button
    num_shown: gr.State
    undo: UndoRow
    opened: OpenedVideo


def create_history_tab(tab: gr.Tab) -> HistoryTab:
    """Build what is on the tab, inside it."""
    num_shown = gr.State(PAGE_SIZE)
    undo = create_undo_row()
    opened = _create_opened()
    with gr.Row(elem_id="history-search"):
        search = gr.Textbox(
            label=texts.SEARCH_LABEL,
            info=texts.SEARCH_INFO,
            max_length=200,
            scale=3,
            min_width=200,
            elem_id="search",
        )
        only_starred = gr.Checkbox(
            label=texts.ONLY_STARRED_LABEL,
            info=texts.ONLY_STARRED_INFO,
            min_width=180,
            elem_id="only-starred",
        )
    cards = gr.HTML(
        js_on_load=_GALLERY_SCRIPT,
        padding=False,
        elem_id="cards",
    )
    more = gr.Button(texts.SHOW_MORE, visible=False, elem_id="more")
    return HistoryTab(
        tab=tab,
        search=search,
        only_starred=only_starred,
        cards=cards,
        more=more,
        num_shown=num_shown,
        undo=undo,
        opened=opened,
    )


def _create_opened() -> OpenedVideo:
    job_id, compared = gr.State(""), gr.State(())
    with gr.Column(visible=False, elem_id=PANEL_ID) as panel:
        with gr.Row(equal_height=False):
            with gr.Column(scale=3, min_width=300):
                video = create_player("opened-video")
                pair = gr.HTML(
                    visible=False,
                    js_on_load=script("pair.js"),
                    padding=False,
                    elem_id="pair",
                )
                hint = gr.Markdown(visible=False, elem_id="compare-hint")
            with gr.Column(scale=2, min_width=300):
                about = gr.HTML(
                    js_on_load=_GALLERY_SCRIPT + POSTER_SCRIPT, padding=False, elem_id="about"
                )
                shown = create_versions("opened-version")
                seed = gr.Textbox(
                    label=texts.USED_SEED_LABEL,
                    info=texts.USED_SEED_INFO,
                    interactive=False,
                    elem_id="opened-seed",
                )
                with gr.Row(elem_classes="tight"):
                    reuse = _button(texts.USE_SETTINGS, "reuse")
                    go_on = _button(texts.GO_ON_WITH_IT, "go-on")
                    make_longer = _button(films.MAKE_LONGER, "make-longer")
                with gr.Row(elem_classes="tight"):
                    star = _button(texts.STAR, "star")
                    compare = _button(texts.COMPARE, "compare-two")
                gr.HTML(
                    f"<p>{texts.EXPORT_HEADING}</p><p>{texts.EXPORT_INFO}</p>",
                    padding=False,
                    elem_id="export-heading",
                )
                with gr.Row(elem_classes="tight", elem_id="exports"):
                    exports = {
                        name: _button(label, f"export-{name}", min_width=64)
                        for name, label in texts.EXPORTS.items()
                    }
                with gr.Row(elem_classes="tight"):
                    close = _button(texts.CLOSE, "close")
                    delete = gr.Button(
                        texts.DELETE, size="sm", min_width=120, variant="stop", elem_id="delete"
                    )
        export_file = gr.DownloadButton(elem_id=EXPORT_ID, elem_classes="unseen")
    return OpenedVideo(
        job_id=job_id,
        compared=compared,
        panel=panel,
        video=video,
        pair=pair,
        hint=hint,
        about=about,
        seed=seed,
        shown=shown,
        star=star,
        reuse=reuse,
        go_on=go_on,
        make_longer=make_longer,
        compare=compare,
        delete=delete,
        close=close,
        exports=exports,
        export_file=export_file,
    )


def _button(label: str, name: str, min_width: int = 120) -> gr.Button:
    return gr.Button(label, size="sm", min_width=min_width, elem_id=name)
