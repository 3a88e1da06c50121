"""Start LaVie Studio: parse the flags, build the service, launch the page."""

import argparse
import logging
import os
from pathlib import Path

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # read when gradio is imported

from app.model_card import read_model_card
from app.runner import CascadeRunner
from app.service import Service
from lavie.errors import LaVieError
from lavie.pipelines import limits


def create_parser() -> argparse.ArgumentParser:
    """The flags of the command line."""
    parser = argparse.ArgumentParser(description="LaVie Studio: text to video in your browser.")
    add = parser.add_argument
    add("--model", default="miniature", help="model folder, hub id, or miniature (default)")
    add("--host", help="address to listen on (default 127.0.0.1: this computer only)")
    add(
        "--listen",
        dest="host",
        action="store_const",
        const="0.0.0.0",
        help="listen on all addresses",
    )
    add("--port", type=int, help="port (default 7860)")
    add("--share", action="store_true", help="also make a public link through gradio.live")
    add(
        "--data",
        type=Path,
        default=Path("outputs/studio"),  # its own: visitors may fetch what is in there by name
        help="folder for the page's results (default outputs/studio)",
    )
    return parser


def main() -> None:
    """Serve the page until stopped."""
    parser = create_parser()
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    try:
        if arguments.port is not None:
            limits.check_whole_number(arguments.port, "port", 0, 65535)
        card = read_model_card(arguments.model)
        from lavie.media import check_output_folder  # torch takes seconds: as gradio below

        check_output_folder(arguments.data)
    except LaVieError as error:
        parser.error(str(error))
    from app.theme import studio_theme  # gradio takes seconds: flags are answered without it
    from app.ui import CSS_FILE, create_page

    data = arguments.data.resolve()
    service = Service(card, CascadeRunner(arguments.model), data)
    page = create_page(service)
    service.start()  # loads the model while the page is already served
    try:
        page.launch(
            server_name=arguments.host,
            server_port=arguments.port,
            share=arguments.share,
            allowed_paths=[str(data)],
            theme=studio_theme(),
            css_paths=CSS_FILE,
            footer_links=["settings"],
            run_history=False,
            ssr_mode=False,
        )
    except OSError:  # the port is taken, or not ours to use
        port = arguments.port or 7860
        parser.error(f"Port {port} cannot be used. Choose another with --port.")


if __name__ == "__main__":
    main()
