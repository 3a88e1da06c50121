"""The page and its API with a runner that takes a moment.

Lines on standard input pause the queue or let it go on.

``python -m tests.integration.quick_studio DATA PORT [--public] [--mcp] [--auth] [--real]
[--model FOLDER] [--process]``; the last three make real videos, with the miniature, with another
model, or in a process of their own.
"""

import sys
from pathlib import Path

from app.crews import choose_crew
from app.jobs.crew import Crew, ThreadCrew
from app.model_card import read_model_card
from app.policy import Policy
from app.runner import CascadeRunner
from app.service import Service
from app.serving import launch
from app.ui import create_page
from tests.endurance.quick import QuickRunner


def main() -> None:
    data = Path(sys.argv[1]).resolve()
    data.mkdir(parents=True)
    quick = QuickRunner(data / "ledger.txt")
    model = sys.argv[sys.argv.index("--model") + 1] if "--model" in sys.argv else "miniature"
    is_real = "--real" in sys.argv or model != "miniature"
    crew: Crew = ThreadCrew(CascadeRunner(model) if is_real else quick)
    if "--process" in sys.argv:
        crew = choose_crew(model, 1, None)
    policy = Policy(is_public="--public" in sys.argv)
    service = Service(read_model_card(model), crew, data, policy)
    page = create_page(service)
    service.start()
    launch(
        page,
        service,
        server_name="127.0.0.1",
        server_port=int(sys.argv[2]),
        prevent_thread_lock=True,
        auth=[("anna", "secret")] if "--auth" in sys.argv else None,
        mcp_server="--mcp" in sys.argv,
        quiet=True,
    )
    _answer("ready")
    for line in sys.stdin:
        service._dispatcher.pause(line.strip() == "pause")  # in public nobody may ask for it
        _answer(line.strip())
    page.close()
    service.stop()


def _answer(word: str) -> None:
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
