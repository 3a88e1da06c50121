"""What happens when the tab Personalised LoRA is used: each part's handlers, and all."""

from collections.abc import Sequence
from dataclasses import dataclass

import gradio as gr
from gradio.events import Dependency

from app.handlers.lora_form import LoraFormHandlers, bind_forgetting, bind_lora_form
from app.handlers.lora_library import LoraLibraryHandlers, bind_lora_library
from app.handlers.lora_training import (
    TrainingButtons,
    TrainingFollowing,
    bind_lora_training,
)
from app.handlers.lora_trying import TryFollowing, TryHandlers, bind_lora_trying
from app.loras.given_pictures import ExampleSet
from app.loras.service import Loras
from app.service import Service
from app.tabs.lora import LoraTab
from app.tabs.lora_picker import LoraPicker
from app.visitors import Visitors


@dataclass(frozen=True)
class LoraHandlers:
    """What happens on the tab, part by part."""

    form: LoraFormHandlers
    following: TrainingFollowing
    buttons: TrainingButtons
    trying: TryHandlers
    library: LoraLibraryHandlers
    pickers: Sequence[LoraPicker]


def create_lora_handlers(
    service: Service,
    tab: LoraTab,
    tabs: gr.Tabs,
    pickers: Sequence[LoraPicker],
    visitors: Visitors,
    sets: Sequence[ExampleSet],
) -> LoraHandlers:
    """Make the handlers of the tab.

    Args:
        service: Does the work.
        tab: The components to read and update.
        tabs: In which the tab is.
        pickers: The choices of LoRAs on other tabs.
        visitors: Tells who asks.
        sets: Pictures to try it with.
    """
    loras = Loras(service)
    all_pickers = (*pickers, tab.trying.picker)
    following = TrainingFollowing(service, loras, tab.training, tabs, visitors)
    trying = TryFollowing(service, tab.trying)
    return LoraHandlers(
        form=LoraFormHandlers(service, loras, tab, visitors, following, sets),
        following=following,
        buttons=TrainingButtons(service, loras, tab.training, visitors, following),
        trying=TryHandlers(service, tab.trying, visitors, trying),
        library=LoraLibraryHandlers(service, loras, following, tab, all_pickers, visitors),
        pickers=all_pickers,
    )


def bind_lora(
    page: gr.Blocks, tabs: gr.Tabs, tab: LoraTab, handlers: LoraHandlers
) -> tuple[list[Dependency], list[Dependency]]:
    """Say which events of the tab do what.

    Returns:
        Events after which there may be something in the queue, and those after which there may be
        a video.
    """
    trained = bind_lora_form(page, tab, handlers.form)
    learnt, cancelled = bind_lora_training(page, handlers.following, handlers.buttons, trained)
    bind_forgetting(tab, handlers.form, [*learnt, cancelled])
    asked, made = bind_lora_trying(page, tab.trying, handlers.trying)
    bind_lora_library(page, tabs, tab, handlers.library, handlers.pickers, learnt)
    return [*trained, *asked], [*learnt, *made]
