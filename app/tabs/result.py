"""The screen's lower half: finished videos, and what can be done with them. Layout only."""

from dataclasses import dataclass, fields
from typing import TypeVar

import gradio as gr
from gradio.blocks import BlockContext
from gradio.components import Component

from app import screen, texts
from app.tabs.poster import POSTER_SCRIPT

MADE_FILE_ID = "made-file"
"""The button that nobody sees: it holds a file that was made because somebody asked for it."""

Shown = Component | BlockContext
"""What an event can change."""

_Button = TypeVar("_Button", gr.Button, gr.DownloadButton)


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


def create_result() -> ResultView:
    """Build it below the screen."""
    with gr.Column(visible=False, elem_id="result") as panel:
        video = create_player("video")
        caption = gr.HTML(screen.before_after(), visible=False, padding=False, elem_id="caption")
        with gr.Row(visible=False, elem_id="choices") as choices:
            shown = create_versions("shown")
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
            smooth_it, upscale_it = create_next_buttons()
        with gr.Row(elem_id="downloads"):
            view = create_download("view", gr.DownloadButton)
            original = create_download("video", gr.DownloadButton)
            gif = create_download("gif", gr.Button)  # it is made when it is asked for
            recipe_file = create_download("recipe", gr.DownloadButton)
            made_file = gr.DownloadButton(elem_id=MADE_FILE_ID, elem_classes="unseen")
        with gr.Row(elem_id="seed-row"):
            used_seed, use_seed = create_seed()
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


def create_player(elem_id: str) -> gr.Video:
    """Where a video plays by itself."""
    return gr.Video(
        label=texts.VIDEO_LABEL,
        show_label=False,
        interactive=False,
        autoplay=True,
        loop=True,
        buttons=[],
        elem_id=elem_id,
    )


def create_versions(elem_id: str) -> gr.Radio:
    """What there is of a video, to choose from."""
    return gr.Radio(
        label=texts.SHOWN_LABEL,
        info=texts.SHOWN_INFO,
        scale=2,
        min_width=260,
        elem_id=elem_id,
        elem_classes="chips",
    )


def create_next_buttons(prefix: str = "") -> tuple[gr.Button, gr.Button]:
    """The two that ask for one more stage."""
    labels = {"smooth": texts.SMOOTH_IT, "upscale": texts.UPSCALE_IT}
    smooth_it, upscale_it = (
        gr.Button(label, size="md", min_width=120, elem_id=f"{prefix}{name}-it")
        for name, label in labels.items()
    )
    return smooth_it, upscale_it


def create_seed(prefix: str = "") -> tuple[gr.Textbox, gr.Button]:
    """The seed of a video, and a button that takes it into the form."""
    used_seed = gr.Textbox(
        label=texts.USED_SEED_LABEL,
        info=texts.USED_SEED_INFO,
        interactive=False,
        min_width=180,
        scale=2,
        elem_id=f"{prefix}used-seed",
    )
    use_seed = gr.Button(texts.USE_SEED, size="sm", min_width=140, elem_id=f"{prefix}use-seed")
    return used_seed, use_seed


def create_download(name: str, button: type[_Button], prefix: str = "") -> _Button:
    """A button for a file of a video."""
    elem_id = f"{prefix}download-{name}"
    return button(texts.DOWNLOADS[name], size="sm", min_width=80, elem_id=elem_id)
