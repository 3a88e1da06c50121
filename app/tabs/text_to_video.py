"""The tab Text to video: its parts, and where each has its place. Layout only."""

from dataclasses import dataclass

import gradio as gr

from app import screen, texts
from app.model_card import ModelCard
from app.tabs.form import (
    Composer,
    Form,
    create_composer,
    create_form,
    create_prompt_box,
    create_switches,
)
from app.tabs.kept import kept
from app.tabs.lora_picker import LoraPicker, create_lora_picker
from app.tabs.queue import EditBar, QueuePanel, create_edit_bar, create_queue_panel
from app.tabs.result import ResultView, Shown, create_result
from app.tabs.settings import SettingsSources, create_settings_sources
from app.watching import Watching
from app.words import Words

TAB_ID = "text-to-video"


@dataclass(frozen=True)
class TextToVideoTab:
    """Everything on the tab that takes part in events."""

    form: Form
    picker: LoraPicker
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
                prompt = create_prompt_box()
                surprise = gr.Button(texts.SURPRISE, size="sm", min_width=110, elem_id="surprise")
                smooth, upscale = create_switches(card, texts.SMOOTH_INFO, texts.UPSCALE_INFO)
                note = gr.Markdown(visible=False, elem_id="vocabulary-note")
                restored = gr.HTML(visible=False, padding=False, elem_id="restored")
                edit = create_edit_bar()
                generate, cancel = _create_actions()
                model_state = gr.HTML(visible=False, padding=False, elem_id="model-state")
            with gr.Column(elem_id="area-words"):  # on a phone below the screen
                picker = create_lora_picker("", "#prompt textarea")
                composer = create_composer(words) if words else None
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
                result = create_result()
                queue = create_queue_panel()
            with gr.Column(elem_id="area-settings"):
                gr.Markdown(f"### {texts.SETTINGS_HEADING}")
                sources = create_settings_sources()
                form = create_form(card, prompt, smooth, upscale, picker.chosen)
    timer = gr.Timer(1.0, active=len(card.stages) > 1)  # until this computer's speed is known
    return TextToVideoTab(
        form=form,
        picker=picker,
        composer=composer,
        note=note,
        restored=restored,
        surprise=surprise,
        sources=sources,
        kept=kept({}, "form", in_place=True),
        generate=generate,
        cancel=cancel,
        screen=display,
        result=result,
        queue=queue,
        edit=edit,
        job_id=kept("", "job", in_place=True),
        watching=gr.State(Watching()),
        cost_timer=timer,
        model_state=model_state,
        model_timer=gr.Timer(1.0),
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
