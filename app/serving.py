"""Serves the page: what is open to whom, and where the limits are."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.helpers import special_args
from gradio.utils import get_upload_folder
from starlette.middleware import Middleware

from app.guard import Function, Guard
from app.page_state import use_small_states
from app.past_calls import forget_past_calls
from app.service import Service
from app.theme import FAVICON, studio_theme
from app.ui import CSS_FILES
from app.uploads import max_upload_bytes
from lavie.runtime.allocator import keep_large_blocks_apart

PROXIES_OF_A_SPACE = "127.0.0.0/8,::1,10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,fc00::/7"
"""Private networks. A visitor's address is the last one outside of them that the proxies noted:
what stands before it he may have made up."""

_MAX_PAGES = 1000
"""Open pages whose state is kept; each takes memory, and anybody can say that he opened one."""

_LOOK_SECONDS, _KEPT_SECONDS = 600, 3600


def launch(
    page: gr.Blocks,
    service: Service,
    auth: Sequence[tuple[str, str]] | None = None,
    **settings: Any,  # noqa: ANN401 - of Gradio
) -> None:
    """Serve the page.

    Args:
        page: What `app.ui.create_page` built.
        service: What it is built on.
        auth: Names and passwords to ask for.
        settings: What else `gradio.Blocks.launch` takes: address, port, whether to wait.
    """
    uploads = Path(get_upload_folder())
    is_space = "SPACE_ID" in os.environ
    if is_space:  # else all visitors would have the address of its proxy
        os.environ.setdefault("FORWARDED_ALLOW_IPS", PROXIES_OF_A_SPACE)
    guard = Middleware(
        Guard,
        is_public=service.policy.is_public,
        functions=functions_of(page),
        may_name=lambda path: (
            _is_inside(path, uploads)
            or (_is_inside(path, service.results) and service.is_shown(Path(path).resolve()))
        ),
        may_read=lambda path: _may_read(path, service),
        is_secure=is_space,
    )
    use_small_states()
    forget_past_calls(page)
    keep_large_blocks_apart()
    page.delete_cache = _LOOK_SECONDS, _KEPT_SECONDS  # what was uploaded is not kept
    gr.set_static_paths([service.results])  # served as they are, not copied: deleted is deleted
    page.launch(
        **settings,
        auth=list(auth) if auth else None,
        app_kwargs={"middleware": [guard]},
        max_file_size=max_upload_bytes(service.policy.is_public),
        allowed_paths=[str(service.results)],
        enable_monitoring=False,
        state_session_capacity=_MAX_PAGES,
        theme=studio_theme(),
        css_paths=CSS_FILES,
        favicon_path=FAVICON,
        footer_links=["api", "settings"],
        run_history=False,
        ssr_mode=False,
    )


def functions_of(page: gr.Blocks) -> dict[int, Function]:
    """What the page and programs can call."""
    named = page.get_api_info()["named_endpoints"]
    functions = {}
    for number, function in page.fns.items():
        if function.fn is None:
            continue  # something that happens in the browser
        name = str(function.api_name) if function.api_visibility == "public" else ""
        functions[number] = Function(
            name,
            len(function.inputs),
            {
                parameter["parameter_name"]: bool(parameter.get("parameter_has_default"))
                for parameter in named.get(f"/{name}", {}).get("parameters", ())
            },
            special_args(function.fn)[2] is not None,
            {
                place: len(component.samples or ())
                for place, component in enumerate(function.inputs)
                if isinstance(component, gr.Dataset)
            },
        )
    return functions


def _may_read(path: str, service: Service) -> bool:
    try:
        return service.is_shown(Path(path).resolve())
    except (OSError, ValueError):
        return False


def _is_inside(path: str, folder: Path) -> bool:
    """Whether there is such a file in a folder, wherever links and dots lead."""
    try:
        file = Path(path).resolve()
        return file.is_file() and file.is_relative_to(folder.resolve())
    except (OSError, ValueError):
        return False
