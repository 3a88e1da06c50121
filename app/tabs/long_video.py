"""The tab Long video: its components and what they are called. Layout only."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import gradio as gr
from gradio.blocks import BlockContext
from gradio.components import Component

from app import screen, texts
from app.films import page
from app.films.check import BEGINNINGS, FILM_FIELDS, film_ranges, window_seconds
from app.model_card import ModelCard
from app.request import MAX_SEED
from app.tabs.form import create_sliders, create_switches
from app.tabs.kept import kept
from app.tabs.lora_picker import LoraPicker, create_lora_picker
from app.tabs.result import create_download, create_next_buttons, create_seed, create_versions
from app.tabs.scripts import script
from app.texts import films
from app.watching import Watching
from app.words import Words, compose

TAB_ID = "long-video"
_PREFIX = "film-"

Shown = Component | BlockContext
Story = Sequence[tuple[str, float]]


@dataclass(frozen=True)
class FilmForm:
    """One control for each of `FILM_FIELDS`, by the field's name."""

    story: gr.Textbox
    begin: gr.Radio
    picture: gr.Image
    video: gr.Video
    ends: gr.Checkbox
    end_picture: gr.Image
    smooth: gr.Checkbox
    upscale: gr.Checkbox
    negative_prompt: gr.Textbox
    seed: gr.Textbox
    overlap: gr.Slider
    num_inference_steps: gr.Slider
    guidance_scale: gr.Slider
    smoothing_steps: gr.Slider
    upscaling_steps: gr.Slider
    loras: gr.Textbox

    def controls(self) -> list[Component]:
        """The controls in the order of `FILM_FIELDS`."""
        return [getattr(self, field) for field in FILM_FIELDS]


@dataclass(frozen=True)
class FilmResult:
    """Where a film shows itself, and what can be done with it."""

    screen: gr.HTML
    player: gr.HTML
    timeline: gr.HTML
    progress: gr.HTML
    retry: gr.Button
    redo_row: gr.Column
    redo_note: gr.HTML
    redo: gr.Button
    choices: gr.Row
    shown: gr.Radio
    next: gr.Row
    smooth_it: gr.Button
    upscale_it: gr.Button
    downloads: gr.Row
    download_view: gr.DownloadButton
    download_video: gr.DownloadButton
    download_recipe: gr.DownloadButton
    seed_row: gr.Row
    used_seed: gr.Textbox
    use_seed: gr.Button

    def all(self) -> list[Shown]:
        """Everything in it."""
        return [getattr(self, field.name) for field in fields(self)]


@dataclass(frozen=True)
class LongVideoTab:
    """Everything on the tab that takes part in events."""

    form: FilmForm
    picker: LoraPicker
    note: gr.Markdown
    source_bar: gr.Row
    source_note: gr.HTML
    drop_source: gr.Button
    cost: gr.HTML
    restored: gr.HTML
    recipe_file: gr.File
    make: gr.Button
    cancel: gr.Button
    result: FilmResult
    kept: gr.BrowserState
    source: gr.BrowserState
    job_id: gr.BrowserState
    chosen: gr.State
    watching: gr.State
    timer: gr.Timer

    def states(self) -> list[gr.BrowserState]:
        """What the browser keeps."""
        return [self.kept, self.source, self.job_id]

    def watched(self) -> list[Shown]:
        """What changes while a film is followed."""
        return [self.job_id, self.cancel, *self.result.all()]


def create_long_video_tab(card: ModelCard, words: Words | None) -> LongVideoTab:
    """Build the tab for a model.

    Args:
        card: Gives the limits and defaults.
        words: Of a small model, for stories that it understands.
    """
    first, more = window_seconds(card)
    with gr.Row(elem_id="film-studio", equal_height=False):
        with gr.Column(elem_id="film-desk"):
            gr.HTML(
                html_template=page.editor(first, more),
                js_on_load=script("story.js"),
                padding=False,
                elem_id="story",
            )
            story = gr.Textbox(
                _rows([("", first)]),
                show_label=False,
                container=False,
                elem_id="story-text",
                label=films.STORY_TEXT_LABEL,
            )
            note = gr.Markdown(visible=False, elem_id="story-note", elem_classes="film-note")
            stories = _stories(words, first, more)
            gr.Examples(
                [[_rows(lines)] for lines in stories],
                inputs=story,
                label=films.EXAMPLES_LABEL,
                example_labels=[_in_short(lines) for lines in stories],
                elem_id="story-examples",
                api_visibility="private",
            )
            begin, picture, video = _create_beginning(card)
            with gr.Row(visible=False, elem_id="film-source") as source_bar:
                source_note = gr.HTML(padding=False)
                drop_source = gr.Button(texts.CLOSE, size="sm", min_width=80, scale=0)
            ends, end_picture = _create_end(card)
            smooth, upscale = create_switches(card, films.SMOOTH_INFO, films.UPSCALE_INFO, _PREFIX)
            picker = create_lora_picker(_PREFIX, "#story textarea")
            cost = gr.HTML(padding=False, elem_id="film-cost")
            restored = gr.HTML(visible=False, padding=False, elem_id="film-restored")
            make, cancel = _create_actions(card)
        with gr.Column(elem_id="film-stage"):
            result = _create_result()
            with gr.Column(elem_id="film-settings"):
                gr.Markdown(f"### {texts.SETTINGS_HEADING}")
                settings = _create_settings(card)
                recipe_file = gr.File(
                    label=films.DROP_LABEL,
                    file_types=[".mp4", ".mkv", ".webm", ".json"],
                    height=110,
                    elem_id="film-recipe",
                )
    form = FilmForm(
        story=story,
        begin=begin,
        picture=picture,
        video=video,
        ends=ends,
        end_picture=end_picture,
        smooth=smooth,
        upscale=upscale,
        loras=picker.chosen,
        **settings,
    )
    return LongVideoTab(
        form=form,
        picker=picker,
        note=note,
        source_bar=source_bar,
        source_note=source_note,
        drop_source=drop_source,
        cost=cost,
        restored=restored,
        recipe_file=recipe_file,
        make=make,
        cancel=cancel,
        result=result,
        kept=kept({}, "film-form"),
        source=kept("", "film-source"),
        job_id=kept("", "film-job"),
        chosen=gr.State(-1),
        watching=gr.State(Watching()),
        timer=gr.Timer(2.0),
    )


def _rows(lines: Story) -> str:
    """A story as the editor holds it."""
    rows = [{"prompt": prompt, "seconds": seconds} for prompt, seconds in lines]
    return json.dumps(rows, ensure_ascii=False)


def _stories(words: Words | None, first_seconds: float, more_seconds: float) -> list[Story]:
    """Whole stories that the model understands: in each the place changes, then the motion."""
    if words is None:
        return [list(story) for story in films.OPEN_STORIES]
    subjects, motions, places = (
        [name for _, name in part] for part in (words.subjects, words.motions, words.places)
    )
    stories: list[Story] = []
    for number in range(3):
        subject = subjects[5 * number % len(subjects)]
        first, second = (places[(2 * number + i) % len(places)] for i in range(2))
        moves = [motions[(number + i) % len(motions)] for i in range(2)]
        told = [(moves[0], first), (moves[0], second), (moves[1], second)]
        seconds = [first_seconds] + [more_seconds] * (len(told) - 1)
        prompts = [compose(subject, motion, place) for motion, place in told]
        stories.append(list(zip(prompts, seconds, strict=True)))
    return stories


def _in_short(story: Story) -> str:
    """What tells a story from others: how it begins, and how much follows."""
    return films.story_in_short(story[0][0], len(story))


def _create_beginning(card: ModelCard) -> tuple[gr.Radio, gr.Image, gr.Video]:
    is_possible = card.goes_on_from_frames
    info = films.CUT_INFO + ("" if card.vocabulary is None else f" {films.OWN_WORLD_INFO}")
    begin = gr.Radio(
        [(films.BEGIN_NAMES[name], name) for name in BEGINNINGS],
        value="nothing",
        label=films.BEGIN_LABEL,
        interactive=is_possible,
        info=info if is_possible else films.NO_NETWORK,
        elem_id="film-begin",
        elem_classes="chips",
    )
    picture = _picture(films.PICTURE_LABEL, "film-picture")
    video = gr.Video(
        label=films.VIDEO_LABEL,
        sources=["upload"],
        visible=False,
        height=220,
        elem_id="film-video",
    )
    return begin, picture, video


def _create_end(card: ModelCard) -> tuple[gr.Checkbox, gr.Image]:
    ends = gr.Checkbox(
        label=films.END_LABEL,
        info=films.END_INFO,
        interactive=card.goes_on_from_frames,
        elem_id="film-ends",
    )
    return ends, _picture(films.END_PICTURE_LABEL, "film-end-picture")


def _picture(label: str, elem_id: str) -> gr.Image:
    return gr.Image(
        label=label,
        sources=["upload"],
        type="filepath",
        visible=False,
        height=220,
        elem_id=elem_id,
    )


def _create_actions(card: ModelCard) -> tuple[gr.Button, gr.Button]:
    with gr.Row(elem_id="film-actions"):
        make = gr.Button(
            films.MAKE,
            variant="primary",
            scale=3,
            min_width=180,
            elem_id="film-make",
        )
        cancel = gr.Button(
            films.STOP, variant="stop", min_width=90, interactive=False, elem_id="film-stop"
        )
    sentence = films.GOES_ON_FROM_FRAMES if card.goes_on_from_frames else films.AT_ONCE
    html = f'<p id="film-mistakes" role="alert"></p><p class="progress-text">{sentence}</p>'
    gr.HTML(html, padding=False, elem_id="film-way")
    return make, cancel


def _create_settings(card: ModelCard) -> dict[str, Any]:
    """The other controls of the form, by the field's name."""
    negative_prompt = gr.Textbox(
        label=texts.NEGATIVE_LABEL, info=films.NEGATIVE_INFO, elem_id="film-negative"
    )
    seed = gr.Textbox(
        label=films.SEED_LABEL,
        info=films.SEED_INFO,
        placeholder=texts.SEED_PLACEHOLDER,
        max_length=len(str(MAX_SEED)),
        elem_id="film-seed",
    )
    told = {
        "overlap": (films.OVERLAP_LABEL, films.OVERLAP_INFO),
        "num_inference_steps": (texts.STEPS_LABEL, texts.STEPS_INFO),
        "guidance_scale": (texts.GUIDANCE_LABEL, texts.GUIDANCE_INFO),
        "smoothing_steps": (texts.SMOOTHING_STEPS_LABEL, films.SMOOTHING_STEPS_INFO),
        "upscaling_steps": (texts.UPSCALING_STEPS_LABEL, films.UPSCALING_STEPS_INFO),
    }
    sliders = create_sliders(card, film_ranges(card), told, _PREFIX)
    return {"negative_prompt": negative_prompt, "seed": seed, **sliders}


def _create_result() -> FilmResult:
    display = gr.HTML(screen.empty(films.EMPTY_SCREEN), padding=False, elem_id="film-display")
    player = gr.HTML(
        page.NOTHING_TO_PLAY,
        html_template=page.player(),
        js_on_load=script("film.js"),  # which hides it while there is nothing to play
        padding=False,
        elem_id="film-player",
    )
    timeline = gr.HTML(
        visible=False, js_on_load=script("timeline.js"), padding=False, elem_id="film-timeline"
    )
    progress = gr.HTML(visible=False, padding=False, elem_id="film-progress")
    retry = gr.Button(texts.GO_ON, visible=False, elem_id="film-retry")
    with gr.Column(visible=False, elem_id="film-redo") as redo_row:
        redo_note = gr.HTML(padding=False)
        redo = gr.Button(films.REDO, size="md", min_width=140, elem_id="film-redo-button")
    with gr.Row(visible=False, elem_id="film-choices") as choices:
        shown = create_versions("film-shown")
    with gr.Row(visible=False, elem_id="film-next") as next_row:
        smooth_it, upscale_it = create_next_buttons(_PREFIX)
    with gr.Row(visible=False, elem_id="film-downloads") as downloads:
        view, original, recipe = (
            create_download(name, gr.DownloadButton, _PREFIX)
            for name in ("view", "video", "recipe")
        )
    with gr.Row(visible=False, elem_id="film-seed-row") as seed_row:
        used_seed, use_seed = create_seed(_PREFIX)
    return FilmResult(
        screen=display,
        player=player,
        timeline=timeline,
        progress=progress,
        retry=retry,
        redo_row=redo_row,
        redo_note=redo_note,
        redo=redo,
        choices=choices,
        shown=shown,
        next=next_row,
        smooth_it=smooth_it,
        upscale_it=upscale_it,
        downloads=downloads,
        download_view=view,
        download_video=original,
        download_recipe=recipe,
        seed_row=seed_row,
        used_seed=used_seed,
        use_seed=use_seed,
    )
