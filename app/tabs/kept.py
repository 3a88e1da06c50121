"""What a browser keeps of the page, so that it is there after a reload. Layout only."""

import gradio as gr

_SECRET = "lavie-studio"
"""Scrambles what a browser keeps. It is sent to every page, so it protects nothing; being the same
after a restart, it lets a page read which job it watched."""


def kept(value: object, name: str, in_place: bool = False) -> gr.BrowserState:
    """Something that the browser keeps, as a rule to be rendered outside of all tabs.

    What is in a tab is only read once that is opened, but all is needed when the page is.

    Args:
        value: What it is as long as nothing was kept.
        name: Unlike any other's on the page.
        in_place: Whether it is rendered where it is built: on the tab that is opened first.
    """
    return gr.BrowserState(value, storage_key=f"lavie-{name}", secret=_SECRET, render=in_place)
