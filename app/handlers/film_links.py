"""From the tab Your videos to the tab Long video: a video to go on from, a film to be shown."""

import gradio as gr

from app.handlers.film_following import FilmFollowing
from app.handlers.long_video import LongVideoHandlers
from app.model_card import ModelCard
from app.tabs.history import HistoryTab
from app.tabs.long_video import LongVideoTab


def bind_film_links(
    history: HistoryTab,
    tab: LongVideoTab,
    handlers: LongVideoHandlers,
    following: FilmFollowing,
    tabs: gr.Tabs,
    card: ModelCard,
) -> None:
    """Say what the buttons beside an open video do with films.

    Args:
        history: Where a video is open.
        tab: Where films are made.
        handlers: Of that tab.
        following: Shows a film there.
        tabs: In which both are.
        card: Of the model.
    """
    opened, form = history.opened, tab.form
    opened.make_longer.visible = card.goes_on_from_frames
    opened.make_longer.click(
        handlers.use_video,
        opened.job_id,
        [tabs, tab.source, tab.source_note, form.begin, form.picture, form.video, tab.source_bar],
    )
    shown = opened.go_on.click(following.show_opened, opened.job_id, following.turned())
    following.follow_after(shown)
