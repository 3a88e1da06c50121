"""Assembles the page: head, tabs, and what each event does."""

from html import escape
from pathlib import Path

import gradio as gr

from app import texts
from app.api import add_api
from app.film_api import add_film_api
from app.films.service import Films
from app.handlers.editing import Editor
from app.handlers.film_following import FilmFollowing, bind_film_following
from app.handlers.film_links import bind_film_links
from app.handlers.history import HistoryHandlers, bind_history
from app.handlers.long_video import LongVideoHandlers, bind_long_video, filled_in
from app.handlers.lora import bind_lora, create_lora_handlers
from app.handlers.models import ModelsHandlers, bind_models
from app.handlers.queue import QueueHandlers, bind_queue
from app.handlers.settings import SettingsHandlers, bind_settings
from app.handlers.text_to_video import bind_text_to_video, create_text_to_video_handlers
from app.lora_api import add_lora_api
from app.loras.given_pictures import example_sets
from app.loras.service import Loras
from app.model_card import ModelCard
from app.model_work import ModelWork
from app.models import ModelLibrary
from app.restart import Restart
from app.service import Service
from app.tabs.history import create_history_tab
from app.tabs.long_video import TAB_ID as FILM_TAB_ID
from app.tabs.long_video import create_long_video_tab
from app.tabs.lora import TAB_ID as LORA_TAB_ID
from app.tabs.lora import create_lora_tab
from app.tabs.models import create_models_tab
from app.tabs.text_to_video import TAB_ID, create_text_to_video_tab
from app.texts import films as film_texts
from app.texts import loras as lora_texts
from app.theme import LOOKS
from app.visitors import Visitors
from app.words import words_of

CSS_FILES = [Path(__file__).parent / name for name in ("page.css", "film.css", "lora.css")]
_WORDMARK = (LOOKS / "wordmark.svg").read_text(encoding="utf-8").strip()
_ON_LOAD = (Path(__file__).parent / "page.js").read_text(encoding="utf-8")
_ON_DROP = (Path(__file__).parent / "drop.js").read_text(encoding="utf-8")


def create_page(
    service: Service, library: ModelLibrary | None = None, restart: Restart | None = None
) -> gr.Blocks:
    """The whole page, ready to launch.

    Args:
        service: What it is the face of.
        library: The models of this machine, which nobody gets to see on a public server.
        restart: Starts the server with another of them; None: that can't be.
    """
    words = words_of(service.card)
    visitors = Visitors(service.policy.is_public)
    sets = example_sets()
    with gr.Blocks(title=texts.NAME, analytics_enabled=False) as page:
        gr.HTML(_head(service.card), padding=False, elem_id="head")
        with gr.Tabs() as tabs:
            with gr.Tab(texts.TAB_TEXT_TO_VIDEO, id=TAB_ID, elem_id="tab-text-to-video"):
                tab = create_text_to_video_tab(service.card, words)
            with gr.Tab(film_texts.TAB, id=FILM_TAB_ID, elem_id="tab-long-video"):
                film_tab = create_long_video_tab(service.card, words)
            with gr.Tab(lora_texts.TAB, id=LORA_TAB_ID, elem_id="tab-lora"):
                lora_tab = create_lora_tab(sets, Loras(service).why_not)
            with gr.Tab(texts.TAB_HISTORY, elem_id="tab-history") as history_tab:
                history = create_history_tab(history_tab)
            if library is not None and not service.policy.is_public:
                with gr.Tab(texts.TAB_MODELS, elem_id="tab-models") as models_tab:
                    models = create_models_tab(models_tab)
                bind_models(models, ModelsHandlers(service, models, library, ModelWork(), restart))
        for state in (*film_tab.states(), *lora_tab.states()):
            state.render()
        editor = Editor(service, tab, visitors)
        handlers = create_text_to_video_handlers(service, tab, words, visitors, editor)
        asked, ended = bind_text_to_video(page, tab, handlers)
        films = Films(service)
        following = FilmFollowing(service, films, film_tab, tabs)
        film_handlers = LongVideoHandlers(service, films, film_tab, tabs, visitors, following)
        film_asked = bind_long_video(page, film_tab, film_handlers, tabs)
        ended += bind_film_following(page, film_tab, following, film_asked)
        asked += film_asked
        pickers = (tab.picker, film_tab.picker)
        lora_handlers = create_lora_handlers(service, lora_tab, tabs, pickers, visitors, sets)
        trainings = lora_handlers.following
        lora_asked, lora_ended = bind_lora(page, tabs, lora_tab, lora_handlers)
        asked += lora_asked
        ended += lora_ended
        queue_handlers = QueueHandlers(
            service, tab, visitors, handlers.following, editor, following, trainings
        )
        ended += bind_queue(
            page, tab, queue_handlers, handlers.following, following, trainings, editor, asked
        )
        settings_handlers = SettingsHandlers(service, tab, words, visitors, tabs, film_handlers)
        film_form = filled_in(film_tab)
        bind_settings(page, tabs, tab, settings_handlers, film_form)
        history_handlers = HistoryHandlers(service, history, tab, tabs, visitors, film_handlers)
        bind_history(
            page, tabs, history, history_handlers, tab, handlers.following, ended, film_form
        )
        bind_film_links(history, film_tab, film_handlers, following, tabs, service.card)
        page.load(js=_ON_LOAD)
        page.load(js=_ON_DROP)
        for event in page.fns.values():  # the page's own business: neither listed nor callable
            event.api_visibility = "private"
            event.api_name = f"page_{event.api_name}"  # the good names are the API's
            event.show_progress = "hidden"  # the screens say what is under way
            event.show_progress_on = []  # else each step of each event is told to every output
        add_api(service, visitors)
        add_film_api(service, visitors)
        add_lora_api(service, visitors)
    return page.queue(default_concurrency_limit=None)  # jobs compute, no event does


def _head(card: ModelCard) -> str:
    size = (card.ranges[name].default for name in ("width", "height", "num_frames"))
    return (
        f"<h1>{_WORDMARK}</h1><p>{escape(texts.TAGLINE)}</p>"
        f'<p id="model">{escape(texts.model_summary(Path(card.name).name, *size))}</p>'
        f'<p id="drop-hint" hidden>{escape(texts.DROP_HINT)}</p>'
    )
