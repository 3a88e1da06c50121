"""A running studio from the command line: ``python -m app submit "a panda moving left"``."""

import argparse
import json
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.request import FIELDS, LORAS, SWITCHES
from lavie.errors import InputError

if TYPE_CHECKING:
    from gradio_client import Client

STUDIO = "http://127.0.0.1:7860"
_FRACTIONS, _WORDS = ("guidance_scale",), ("negative_prompt", "scheduler", LORAS)


def create_parser() -> argparse.ArgumentParser:
    """The commands and their flags."""
    common = argparse.ArgumentParser(add_help=False)
    add = common.add_argument
    add("--studio", default=os.environ.get("LAVIE_STUDIO") or STUDIO, help=f"default: {STUDIO}")
    add("--auth", default=os.environ.get("LAVIE_AUTH"), help="USER:PASSWORD, if it asks for one")
    add(
        "--visitor",
        default=os.environ.get("LAVIE_VISITOR"),
        help="32 hexadecimal digits by which a public studio knows you again",
    )
    add("--json", action="store_true", help="answer in JSON, one value a line")

    parser = argparse.ArgumentParser(prog="python -m app", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)

    def add_command(name: str, about: str) -> argparse.ArgumentParser:
        return commands.add_parser(name, help=about, description=about, parents=[common])

    submit = add_command("submit", "Queue a video, and say its id.")
    submit.add_argument("prompt")
    submit.add_argument("--follow", action="store_true", help="and wait until it is over")
    for field in FIELDS[1:]:
        flag = f"--{field.replace('_', '-')}"
        if field in SWITCHES:
            submit.add_argument(flag, action="store_true", default=None)
        else:
            kind = str if field in _WORDS else float if field in _FRACTIONS else int
            submit.add_argument(flag, type=kind)
    for name, about in (
        ("follow", "Tell how a job gets on, until it is over."),
        ("cancel", "Stop a job."),
        ("fetch", "Download what a job made."),
    ):
        add_command(name, about).add_argument("job_id")
    fetch = commands.choices["fetch"]
    fetch.add_argument("--format", default="mp4", help="mp4, webm, gif, frames or zip")
    fetch.add_argument("--output", type=Path, help="default: its own name, here")
    listing = add_command("list", "List what was made, newest first.")
    listing.add_argument("--search", default="", help="words that the prompt has to contain")
    listing.add_argument("--limit", type=int, default=20)
    add_command("queue", "List what runs and what waits.")
    return parser


def run(arguments: argparse.Namespace) -> int:
    """Do what a command line says.

    Returns:
        0; or 1 if a job that was followed came to no good end.

    Raises:
        InputError: There is no such studio, or it refuses.
    """
    with _told():
        client = _connect(arguments.studio, arguments.auth, arguments.visitor)
        command = arguments.command
        if command == "submit":
            given = {field: getattr(arguments, field) for field in FIELDS}
            values = {name: value for name, value in given.items() if value is not None}
            job = client.predict(**values, api_name="/submit")
            _print_job(job, arguments.json)
            return _follow(client, job["id"], arguments.json) if arguments.follow else 0
        if command == "follow":
            return _follow(client, arguments.job_id, arguments.json)
        if command == "cancel":
            _print_job(client.predict(arguments.job_id, api_name="/cancel"), arguments.json)
        elif command == "fetch":
            _fetch(client, arguments)
        elif command == "queue":
            _print_jobs(client.predict(api_name="/queue"), arguments.json)
        else:
            asked = {"search": arguments.search, "limit": arguments.limit}
            _print_jobs(client.predict(**asked, api_name="/list"), arguments.json)
    return 0


def _connect(address: str, auth: str | None, visitor: str | None) -> "Client":
    import httpx
    from gradio_client import Client
    from gradio_client.exceptions import AuthenticationError

    from app.visitors import HEADER

    user, _, password = (auth or "").partition(":")
    try:
        return Client(
            address,
            auth=(user, password) if auth else None,
            headers={HEADER: visitor} if visitor else None,
            verbose=False,
            analytics_enabled=False,
        )
    except AuthenticationError as error:
        raise InputError(
            f"The studio at {address} asks for a name and a password. Give them with "
            "--auth USER:PASSWORD, or look whether they are right.",
            "auth",
        ) from error
    except (httpx.HTTPError, ValueError, OSError) as error:
        raise InputError(
            f"There is no studio at {address}. Start one with python app.py, or say where it is "
            "with --studio.",
            "studio",
        ) from error


@contextmanager
def _told() -> Iterator[None]:
    """What the studio refuses is the user's to mend; so is a connection that ends."""
    import httpx
    from gradio_client.exceptions import AppError

    try:
        yield
    except AppError as error:
        raise InputError(str(error)) from error
    except httpx.HTTPError as error:
        raise InputError("The studio no longer answers. Ask it again later.", "studio") from error


def _follow(client: "Client", job_id: str, as_json: bool) -> int:
    watched: Any = client.submit(job_id, api_name="/follow")
    for job in watched:
        _print_job(job, as_json)
    job = watched.result()  # says so if there was an error, which an iteration does not
    if job["state"] == "done":
        return 0
    state = job["state"]
    sys.stderr.write(f"{job['error'] or f'The job was {state}.'}\n")
    return 1


def _fetch(client: "Client", arguments: argparse.Namespace) -> None:
    asked = {"job_id": arguments.job_id, "format": arguments.format}
    file = Path(client.predict(**asked, api_name="/files"))
    output = arguments.output or Path(file.name)
    try:
        shutil.move(file, output)
    except OSError as error:
        raise InputError(f"{output} cannot be written: {error.strerror}.", "output") from error
    print(json.dumps({"output": str(output)}) if arguments.json else output, flush=True)


def _print_jobs(jobs: Sequence[dict[str, Any]], as_json: bool) -> None:
    for job in jobs:
        _print_job(job, as_json)


def _print_job(job: dict[str, Any], as_json: bool) -> None:
    print(json.dumps(job) if as_json else _line(job), flush=True)


def _line(job: dict[str, Any]) -> str:
    """A job in words: what is under way, else what it is about."""
    if job["stage"]:
        seconds = job["seconds_left"]
        left = "" if seconds is None else f", about {round(seconds)} s left"
        about = f"{job['stage']} {job['step']}/{job['total']}{left}"
    elif job["place"]:
        about = f"{job['place']} before it"
    else:
        about = job["prompt"]
    return f"{job['id']}  {job['state']:<11}  {about}"


def main() -> int:
    """Ask, answer, and say in a line what went wrong.

    Returns:
        The exit code: 2 for what the user can mend.
    """
    parser = create_parser()
    arguments = parser.parse_args()
    try:
        return run(arguments)
    except InputError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except KeyboardInterrupt:
        sys.stderr.write("The job goes on without this: follow finds it again, cancel ends it.\n")
        return 130


if __name__ == "__main__":
    sys.exit(main())
