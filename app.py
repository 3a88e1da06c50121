"""Start LaVie Studio: parse the flags, build the service, launch the page."""

import argparse
import importlib.util
import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # read when gradio is imported
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")

from app import texts
from app.access import choose_auth, is_loopback, read_auth_file
from app.crews import choose_crew
from app.model_card import read_model_card
from app.models import ModelLibrary
from app.policy import Policy
from app.restart import Restart, can_restart
from app.safety import check_name
from app.service import Service
from lavie.cli.shared import add_stage_flags, stage_folders
from lavie.errors import InputError, LaVieError, MissingDependencyError
from lavie.pipelines import limits
from lavie.runtime.profiles import AUTO, ProfileName


def create_parser() -> argparse.ArgumentParser:
    """The flags of the command line."""
    parser = argparse.ArgumentParser(
        description="LaVie Studio: text to video in your browser.",
        allow_abbrev=False,  # app.restart knows flags by their whole names
    )
    add = parser.add_argument
    add("--model", default="miniature", help="model folder, hub id, or miniature (default)")
    add_stage_flags(parser)
    add("--host", help="address to listen on (default 127.0.0.1: this computer only)")
    add(
        "--listen",
        dest="host",
        action="store_const",
        const="0.0.0.0",
        help="listen on all addresses",
    )
    add(
        "--auth",
        action="append",
        metavar="USER:PASSWORD",
        help="ask for it; may be repeated; better said as LAVIE_AUTH, or in a file",
    )
    add("--auth-file", type=Path, help="file of USER:PASSWORD, one a line")
    add("--open-to-all", action="store_true", help="let others in without a password")
    add("--public", action="store_true", help="tell visitors apart, also behind a proxy of yours")
    add("--gallery", action="store_true", help="let visitors see each other's finished videos")
    add("--safety", metavar="MODULE:FUNCTION", help="checker that every video has to pass")
    add("--no-training", action="store_true", help="train no LoRAs here")
    add("--port", type=int, help="port (default 7860)")
    add("--redis", help="redis://host:port of a Redis, for workers on other machines too")
    add("--profile", choices=get_args(ProfileName), default=AUTO, help="what to do about memory")
    add("--models", type=Path, default=Path("pretrained_models"), help="folder for downloads")
    add("--workers", type=int, default=1, help="processes with a model of their own (default 1)")
    add("--mcp", action="store_true", help="also serve the API as tools for assistants (MCP)")
    add("--share", action="store_true", help="also make a public link through gradio.live")
    add(
        "--data",
        type=Path,
        default=_default_data(),  # its own: visitors may fetch what is in there by name
        help="folder for jobs and results (default outputs/studio; on a Space its storage, if any)",
    )
    return parser


def _default_data() -> Path:
    storage = Path("/data")  # what outlives a restart of a Space
    is_kept = "SPACE_ID" in os.environ and os.access(storage, os.W_OK)
    return storage / "studio" if is_kept else Path("outputs/studio")


def _pairs(arguments: argparse.Namespace) -> list[str]:
    """The names and passwords, from wherever they are told."""
    pairs: list[str] = list(arguments.auth or ())
    if told := os.environ.get("LAVIE_AUTH"):
        pairs.append(told)
    return pairs + (read_auth_file(arguments.auth_file) if arguments.auth_file else [])


def main() -> None:
    """Serve the page until stopped."""
    parser = create_parser()
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    try:
        is_space = "SPACE_ID" in os.environ
        host = arguments.host or os.environ.get("GRADIO_SERVER_NAME")
        is_reachable = arguments.share or is_space or not is_loopback(host)
        auth = choose_auth(_pairs(arguments), is_reachable, arguments.open_to_all or is_space)
        if arguments.safety:
            check_name(arguments.safety)
        policy = Policy(
            is_public=is_reachable or arguments.public,
            has_gallery=arguments.gallery,
            is_checked=bool(arguments.safety),
            has_training=not arguments.no_training,
        )
        if arguments.port is not None:
            limits.check_whole_number(arguments.port, "port", 0, 65535)
        limits.check_whole_number(arguments.workers, "workers", 0, 64)
        if arguments.mcp and importlib.util.find_spec("mcp") is None:
            raise MissingDependencyError(texts.MCP_IS_MISSING)
        stages = stage_folders(arguments)
        card = read_model_card(arguments.model, stages)
        from lavie.media import check_output_folder  # torch takes seconds: as gradio below

        check_output_folder(arguments.data)
        data = arguments.data.resolve()
        crew = choose_crew(
            arguments.model,
            arguments.workers,
            arguments.redis,
            arguments.safety,
            arguments.profile,
            stages,
        )
        service = Service(card, crew, data, policy)
    except LaVieError as error:
        parser.error(str(error))
    service.start()  # loads the model while gradio is imported, which takes seconds, and served
    try:
        restart = _serve(arguments, service, auth, data)
    except InputError as error:
        parser.error(str(error))
    finally:
        service.stop()
    if restart:
        restart.go()


def _serve(
    arguments: argparse.Namespace,
    service: Service,
    auth: Sequence[tuple[str, str]] | None,
    data: Path,
) -> Restart | None:
    """Serve the page until stopped.

    Returns:
        What starts the server again, if that was asked for.

    Raises:
        InputError: The port cannot be used.
    """
    from app.serving import launch
    from app.ui import create_page

    library = ModelLibrary(arguments.models, data / "private" / "models.json")
    restart = Restart() if can_restart() and not arguments.redis else None
    page = create_page(service, library, restart)
    if restart:
        restart.watch(page)
    try:
        launch(
            page,
            service,
            auth,
            server_name=arguments.host,
            server_port=arguments.port,
            share=arguments.share,
            mcp_server=arguments.mcp,
        )
    except OSError as error:  # the port is taken, or not ours to use
        port = arguments.port or 7860
        raise InputError(f"Port {port} cannot be used. Choose another with --port.") from error
    return restart


if __name__ == "__main__":
    main()
