"""Assembles the page: head, tabs, and what each event does."""

from functools import partial
from html import escape
from pathlib import Path

import gradio as gr

from app import texts
from app.handlers import TextToVideoHandlers
from app.model_card import ModelCard
from app.service import COST_FIELDS, Service
from app.tabs.text_to_video import TextToVideoTab, create_text_to_video_tab
from app.words import words_of

CSS_FILE = Path(__file__).parent / "page.css"
_ON_LOAD = (Path(__file__).parent / "page.js").read_text(encoding="utf-8")


def create_page(service: Service) -> gr.Blocks:
    """The whole page, ready to launch."""
    words = words_of(service.card)
    with gr.Blocks(title=texts.NAME, analytics_enabled=False) as page:
        gr.HTML(_head(service.card), padding=False, elem_id="head")
        with gr.Tabs():
            with gr.Tab(texts.TAB_TEXT_TO_VIDEO, elem_id="tab-text-to-video"):
                tab = create_text_to_video_tab(service.card, words)
        _bind_text_to_video(page, tab, TextToVideoHandlers(service, tab, words))
        page.load(js=_ON_LOAD)
    return page


def _head(card: ModelCard) -> str:
    size = (card.ranges[name].default for name in ("width", "height", "num_frames"))
    return (
        f"<h1>{escape(texts.NAME)}</h1><p>{escape(texts.TAGLINE)}</p>"
        f'<p id="model">{escape(texts.model_summary(Path(card.name).name, *size))}</p>'
    )


def _bind_text_to_video(
    page: gr.Blocks, tab: TextToVideoTab, handlers: TextToVideoHandlers
) -> None:
    # Nothing here computes: jobs do. So events neither wait for each other nor dim the page.
    watch = partial(dict, outputs=tab.watched(), show_progress="hidden", concurrency_limit=None)
    # Our own rules check the values, so that the sentences are ours.
    ask = partial(watch, preprocess=False)
    submitted = gr.on(
        [tab.generate.click, tab.form.prompt.submit],
        handlers.submit,
        [tab.job_id, *tab.form.controls()],
        validator=handlers.check,
        **ask(),
    )
    view, form = tab.result, tab.form
    smoothed = view.smooth_it.click(
        handlers.smooth_it,
        [tab.job_id, view.shown, form.smoothing_steps],
        validator=handlers.check_smoothing,
        **ask(),
    )
    upscaled = view.upscale_it.click(
        handlers.upscale_it,
        [tab.job_id, view.shown, form.upscaling_steps],
        validator=handlers.check_upscaling,
        **ask(),
    )
    costs = {
        "fn": handlers.show_costs,
        "inputs": [getattr(form, field) for field in COST_FIELDS],
        "outputs": [form.smooth, form.upscale, tab.cost_timer],
        "show_progress": "hidden",
        "preprocess": False,
        "queue": False,
    }
    for event in (submitted, smoothed, upscaled):
        event.success(handlers.follow, tab.job_id, **watch()).then(**costs)
    page.load(handlers.resume, tab.job_id, **watch())
    changed = [getattr(form, field).change for field in COST_FIELDS]
    gr.on([tab.cost_timer.tick, *changed], **costs, trigger_mode="always_last")
    gr.on(
        [view.shown.input, view.is_compared.input],
        handlers.show_version,
        [tab.job_id, view.shown, view.is_compared],
        view.version(),
        show_progress="hidden",
        preprocess=False,
        queue=False,
    )
    tab.cancel.click(handlers.cancel, tab.job_id, tab.cancel, queue=False, show_progress="hidden")
    chips = list(tab.composer or ())
    tab.form.prompt.change(
        handlers.read_prompt,
        tab.form.prompt,
        [tab.note, *chips],
        queue=False,
        show_progress="hidden",
        trigger_mode="always_last",
    )
    tab.result.use_seed.click(
        lambda seed: seed, tab.result.used_seed, tab.form.seed, queue=False, show_progress="hidden"
    )
    if chips:
        gr.on(
            [radio.input for radio in chips],
            handlers.compose,
            chips,
            tab.form.prompt,
            queue=False,
            show_progress="hidden",
        )
