"""The tab Text to video: its components and what they are called. Layout only."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import NamedTuple, TypeVar

import gradio as gr
from gradio.blocks import BlockContext
from gradio.components import Component

from app import screen, texts
from app.model_card import ModelCard
from app.request import FIELDS, MAX_SEED, SCHEDULERS, Range
from app.tabs.poster import POSTER_SCRIPT
from app.tabs.queue import EditBar, QueuePanel, create_edit_bar, create_queue_panel
from app.tabs.settings import SettingsSources, create_settings_sources
from app.watching import Watching
from app.words import Choice, Words

_STORAGE_SECRET = "lavie-studio"
"""Scrambles what a browser keeps. It is sent to every page, so it protects nothing; being the same
after a restart, it lets a page read which job it watched."""

TAB_ID = "text-to-video"
MADE_FILE_ID = "made-file"
"""The button that nobody sees: it holds a file that was made because somebody asked for it."""

_Button = TypeVar("_Button", gr.Button, gr.DownloadButton)

Shown = Component | BlockContext
"""What an event can change."""


class Composer(NamedTuple):
    """The words that can be clicked together."""

    subject: gr.Radio
    motion: gr.Radio
    place: gr.Radio
    style: gr.Radio


@dataclass(frozen=True)
class Form:
    """One control for each field of the request, by the field's name."""

    prompt: gr.Textbox
    negative_prompt: gr.Textbox
    seed: gr.Textbox
    num_inference_steps: gr.Slider
    guidance_scale: gr.Slider
    scheduler: gr.Dropdown
    width: gr.Number
    height: gr.Number
    num_frames: gr.Slider
    smooth: gr.Checkbox
    upscale: gr.Checkbox
    smoothing_steps: gr.Slider
    upscaling_steps: gr.Slider

    def controls(self) -> list[Component]:
        """The controls in the order of `FIELDS`."""
        return [getattr(self, field) for field in FIELDS]


@dataclass(frozen=True)
class ResultView:
    """Where finished videos show themselves: what is seen, and below it what can be done."""

    panel: gr.Column
    video: gr.Video
    prompt: gr.HTML
    caption: gr.HTML
    choices: gr.Row
    shown: gr.Radio
    is_compared: gr.Checkbox
    progress: gr.HTML
    retry: gr.Button
    details: gr.Column
    next: gr.Row
    smooth_it: gr.Button
    upscale_it: gr.Button
    download_view: gr.DownloadButton
    download_video: gr.DownloadButton
    make_gif: gr.Button
    download_recipe: gr.DownloadButton
    made_file: gr.DownloadButton
    used_seed: gr.Textbox
    use_seed: gr.Button
    recipe: gr.JSON

    def all(self) -> list[Shown]:
        """Everything in it."""
        return [getattr(self, field.name) for field in fields(self)]

    def version(self) -> list[Shown]:
        """What changes with the version of the video that is shown."""
        steady = {self.panel, self.prompt, self.choices, self.shown, self.progress, self.details}
        steady |= {self.make_gif, self.made_file, self.retry, self.use_seed}
        return [part for part in self.all() if part not in steady]


@dataclass(frozen=True)
class TextToVideoTab:
    """Everything on the tab that takes part in events."""

    form: Form
    composer: Composer | None
    note: gr.Markdown
    restored: gr.HTML
    surprise: gr.Button
    sources: SettingsSources
    kept: gr.BrowserState
    generate: gr.Button
    cancel: gr.Button
    screen: gr.HTML
    result: ResultView
    queue: QueuePanel
    edit: EditBar
    job_id: gr.BrowserState
    watching: gr.State
    cost_timer: gr.Timer
    model_state: gr.HTML
    model_timer: gr.Timer

    def watched(self) -> list[Shown]:
        """What changes while a job is followed."""
        return [self.screen, self.cancel, self.job_id, *self.result.all()]

    def asked(self) -> list[Shown]:
        """What changes when a video is asked for, or a change of one that waits."""
        edit = [self.edit.edited, self.edit.bar, self.edit.note, self.generate]
        return [*self.watched(), *edit, *self.form.controls()]


def create_text_to_video_tab(card: ModelCard, words: Words | None) -> TextToVideoTab:
    """Build the tab for a model.

    Args:
        card: Gives the limits and defaults.
        words: What can be clicked together; None for a model of open language.
    """
    with gr.Row(elem_id="studio", equal_height=False):
        with gr.Column(elem_id="desk"):
            with gr.Column(elem_id="area-prompt"):
                prompt = _prompt_box()
                surprise = gr.Button(texts.SURPRISE, size="sm", min_width=110, elem_id="surprise")
                smooth, upscale = _create_switches(card)
                note = gr.Markdown(visible=False, elem_id="vocabulary-note")
                restored = gr.HTML(visible=False, padding=False, elem_id="restored")
                edit = create_edit_bar(_STORAGE_SECRET)
                generate, cancel = _create_actions()
                model_state = gr.HTML(visible=False, padding=False, elem_id="model-state")
            with gr.Column(elem_id="area-words"):
                composer = _create_composer(words) if words else None
                gr.Examples(
                    [[example] for example in (words.examples() if words else texts.OPEN_EXAMPLES)],
                    inputs=prompt,
                    label=texts.EXAMPLES_LABEL,
                    elem_id="examples",
                    api_visibility="private",
                )
        with gr.Column(elem_id="stage"):
            with gr.Column(elem_id="area-result"):
                display = gr.HTML(screen.empty(), padding=False, elem_id="screen")
                result = _create_result()
                queue = create_queue_panel()
            with gr.Column(elem_id="area-settings"):
                gr.Markdown(f"### {texts.SETTINGS_HEADING}")
                sources = create_settings_sources()
                form = _create_form(card, prompt, smooth, upscale)
    kept = gr.BrowserState({}, storage_key="lavie-form", secret=_STORAGE_SECRET)
    job_id = gr.BrowserState("", storage_key="lavie-job", secret=_STORAGE_SECRET)
    watching = gr.State(Watching())
    timer = gr.Timer(1.0, active=len(card.stages) > 1)  # until this computer's speed is known
    return TextToVideoTab(
        form=form,
        composer=composer,
        note=note,
        restored=restored,
        surprise=surprise,
        sources=sources,
        kept=kept,
        generate=generate,
        cancel=cancel,
        screen=display,
        result=result,
        queue=queue,
        edit=edit,
        job_id=job_id,
        watching=watching,
        cost_timer=timer,
        model_state=model_state,
        model_timer=gr.Timer(1.0),
    )


def _prompt_box() -> gr.Textbox:
    return gr.Textbox(
        label=texts.PROMPT_LABEL,
        info=texts.PROMPT_INFO,
        placeholder=texts.PROMPT_PLACEHOLDER,
        lines=2,
        max_lines=5,
        autofocus=True,
        elem_id="prompt",
    )


def _create_actions() -> tuple[gr.Button, gr.Button]:
    """The two buttons that count, and the keys that press them."""
    with gr.Row(elem_id="actions"):
        generate = gr.Button(
            texts.GENERATE, variant="primary", elem_id="generate", scale=3, min_width=180
        )
        cancel = gr.Button(
            texts.CANCEL, variant="stop", elem_id="cancel", min_width=90, interactive=False
        )
    gr.HTML(screen.keys(), padding=False, elem_id="keys")
    return generate, cancel


def _create_switches(card: ModelCard) -> tuple[gr.Checkbox, gr.Checkbox]:
    """What else can be done with the video, as far as the model has the stages."""
    with gr.Row(elem_id="switches", visible=len(card.stages) > 1):
        smooth = gr.Checkbox(
            label=texts.SMOOTH_LABEL,
            info=texts.SMOOTH_INFO,
            visible="interpolation" in card.stages,
            min_width=150,
            elem_id="smooth",
        )
        upscale = gr.Checkbox(
            label=texts.UPSCALE_LABEL,
            info=texts.UPSCALE_INFO,
            visible="super_resolution" in card.stages,
            min_width=150,
            elem_id="upscale",
        )
    return smooth, upscale


def _create_composer(words: Words) -> Composer:
    gr.Markdown(f"### {texts.WORDS_HEADING}")

    def radio(
        name: str, choices: list[Choice], label: str, info: str, value: str | None = None
    ) -> gr.Radio:
        return gr.Radio(
            choices,
            value=value,
            label=label,
            info=info,
            visible=len(choices) > 1,
            elem_id=f"word-{name}",
            elem_classes="chips",
        )

    return Composer(
        subject=radio("subject", words.subjects, texts.SUBJECT_LABEL, texts.SUBJECT_INFO),
        motion=radio("motion", words.motions, texts.MOTION_LABEL, texts.MOTION_INFO),
        place=radio("place", words.places, texts.PLACE_LABEL, texts.PLACE_INFO),
        style=radio("style", words.styles, texts.STYLE_LABEL, texts.STYLE_INFO, words.styles[0][1]),
    )


def _create_form(
    card: ModelCard, prompt: gr.Textbox, smooth: gr.Checkbox, upscale: gr.Checkbox
) -> Form:
    ranges = card.ranges
    negative_prompt = gr.Textbox(
        label=texts.NEGATIVE_LABEL, info=texts.NEGATIVE_INFO, elem_id="negative_prompt"
    )
    with gr.Row():
        width = _number("width", ranges, texts.WIDTH_LABEL)
        height = _number("height", ranges, texts.HEIGHT_LABEL)
    num_frames = _slider("num_frames", ranges, texts.FRAMES_LABEL, texts.FRAMES_INFO)
    steps = _slider("num_inference_steps", ranges, texts.STEPS_LABEL, texts.STEPS_INFO)
    guidance = _slider("guidance_scale", ranges, texts.GUIDANCE_LABEL, texts.GUIDANCE_INFO)
    smoothing_steps = _slider(
        "smoothing_steps",
        ranges,
        texts.SMOOTHING_STEPS_LABEL,
        texts.SMOOTHING_STEPS_INFO,
        visible="interpolation" in card.stages,
    )
    upscaling_steps = _slider(
        "upscaling_steps",
        ranges,
        texts.UPSCALING_STEPS_LABEL,
        texts.UPSCALING_STEPS_INFO,
        visible="super_resolution" in card.stages,
    )
    with gr.Row():
        seed = gr.Textbox(
            label=texts.SEED_LABEL,
            info=texts.SEED_INFO,
            placeholder=texts.SEED_PLACEHOLDER,
            max_length=len(str(MAX_SEED)),
            min_width=220,
            elem_id="seed",
        )
        scheduler = gr.Dropdown(
            [(texts.SCHEDULER_NAMES[name], name) for name in SCHEDULERS],
            value=SCHEDULERS[0],
            label=texts.SCHEDULER_LABEL,
            info=texts.SCHEDULER_INFO,
            min_width=220,
            elem_id="scheduler",
        )
    return Form(
        prompt=prompt,
        negative_prompt=negative_prompt,
        seed=seed,
        num_inference_steps=steps,
        guidance_scale=guidance,
        scheduler=scheduler,
        width=width,
        height=height,
        num_frames=num_frames,
        smooth=smooth,
        upscale=upscale,
        smoothing_steps=smoothing_steps,
        upscaling_steps=upscaling_steps,
    )


def _number(name: str, ranges: Mapping[str, Range], label: str) -> gr.Number:
    limits = ranges[name]
    return gr.Number(
        label=label,
        info=texts.size_info(limits.minimum, limits.maximum, limits.step),
        value=limits.default,
        minimum=limits.minimum,
        maximum=limits.maximum,
        step=limits.step,
        elem_id=name,
    )


def _slider(
    name: str, ranges: Mapping[str, Range], label: str, info: str, visible: bool = True
) -> gr.Slider:
    limits = ranges[name]
    return gr.Slider(
        limits.minimum,
        limits.maximum,
        value=limits.default,
        step=limits.step or 0.1,
        label=label,
        info=info,
        visible=visible,
        elem_id=name,
    )


def _create_result() -> ResultView:
    with gr.Column(visible=False, elem_id="result") as panel:
        video = gr.Video(
            label=texts.VIDEO_LABEL,
            show_label=False,
            interactive=False,
            autoplay=True,
            loop=True,
            buttons=[],
            elem_id="video",
        )
        caption = gr.HTML(screen.before_after(), visible=False, padding=False, elem_id="caption")
        with gr.Row(visible=False, elem_id="choices") as choices:
            shown = gr.Radio(
                label=texts.SHOWN_LABEL,
                info=texts.SHOWN_INFO,
                scale=2,
                min_width=260,
                elem_id="shown",
                elem_classes="chips",
            )
            is_compared = gr.Checkbox(
                label=texts.COMPARE_LABEL,
                info=texts.COMPARE_INFO,
                min_width=180,
                elem_id="compare",
            )
    prompt = gr.HTML(visible=False, js_on_load=POSTER_SCRIPT, padding=False, elem_id="shown-prompt")
    progress = gr.HTML(visible=False, padding=False, elem_id="progress")
    retry = gr.Button(visible=False, elem_id="retry")
    with gr.Column(visible=False, elem_id="details") as details:
        with gr.Row(elem_id="next") as next_row:
            smooth_it, upscale_it = (
                gr.Button(label, size="md", min_width=120, elem_id=f"{name}-it")
                for name, label in (("smooth", texts.SMOOTH_IT), ("upscale", texts.UPSCALE_IT))
            )
        with gr.Row(elem_id="downloads"):
            view, original = (_download(name, gr.DownloadButton) for name in ("view", "video"))
            gif = _download("gif", gr.Button)  # it is made when it is asked for
            recipe_file = _download("recipe", gr.DownloadButton)
            made_file = gr.DownloadButton(elem_id=MADE_FILE_ID, elem_classes="unseen")
        with gr.Row(elem_id="seed-row"):
            used_seed = gr.Textbox(
                label=texts.USED_SEED_LABEL,
                info=texts.USED_SEED_INFO,
                interactive=False,
                min_width=180,
                scale=2,
                elem_id="used-seed",
            )
            use_seed = gr.Button(texts.USE_SEED, size="sm", min_width=140, elem_id="use-seed")
        with gr.Accordion(texts.RECIPE_LABEL, open=False, elem_id="recipe-panel"):
            gr.Markdown(texts.RECIPE_NOTE)
            recipe = gr.JSON(label=texts.RECIPE_LABEL, show_label=False, elem_id="recipe")
    return ResultView(
        panel=panel,
        video=video,
        prompt=prompt,
        caption=caption,
        choices=choices,
        shown=shown,
        is_compared=is_compared,
        progress=progress,
        retry=retry,
        details=details,
        next=next_row,
        smooth_it=smooth_it,
        upscale_it=upscale_it,
        download_view=view,
        download_video=original,
        make_gif=gif,
        download_recipe=recipe_file,
        made_file=made_file,
        used_seed=used_seed,
        use_seed=use_seed,
        recipe=recipe,
    )


def _download(name: str, button: type[_Button]) -> _Button:
    return button(texts.DOWNLOADS[name], size="sm", min_width=80, elem_id=f"download-{name}")
