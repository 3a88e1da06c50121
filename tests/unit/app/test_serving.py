import asyncio

import pytest
from gradio import routes, state_holder
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from app.page_state import PageState, PageStates
from app.past_calls import PendingMessages
from app.serving import PROXIES_OF_A_SPACE, launch
from app.ui import create_page


def address(client, forwarded_for):
    """What the studio takes for a visitor's address."""
    seen = []

    async def app(scope, receive, send):
        seen.append(scope["client"][0])

    headers = [(b"x-forwarded-for", forwarded_for.encode())]
    scope = {"type": "http", "client": (client, 1), "headers": headers}
    asyncio.run(ProxyHeadersMiddleware(app, PROXIES_OF_A_SPACE)(scope, None, None))
    return seen[0]


@pytest.mark.parametrize("proxy", ["10.20.30.40", "172.17.0.1", "192.168.1.1", "127.0.0.1", "::1"])
def test_a_visitor_of_a_space_has_the_address_its_proxies_saw(proxy):
    assert address(proxy, "203.0.113.5") == "203.0.113.5"
    assert address(proxy, "203.0.113.5, 10.1.1.1") == "203.0.113.5"


def test_a_visitor_of_a_space_cannot_choose_his_address():
    assert address("10.20.30.40", "198.51.100.1, 203.0.113.5, 10.1.1.1") == "203.0.113.5"
    assert address("203.0.113.5", "198.51.100.1") == "203.0.113.5"


def test_a_served_page_takes_little_memory(service, monkeypatch):
    async def serve():  # in a loop of ours: Gradio would make one and leave it open
        page = create_page(service)
        launch(page, service, server_name="127.0.0.1", prevent_thread_lock=True, quiet=True)
        page.close(verbose=False)
        return page

    for module, name in ((routes, "StateHolder"), (state_holder, "SessionState")):
        monkeypatch.setattr(module, name, getattr(module, name))  # put back afterwards
    page = asyncio.run(serve())
    assert type(page.state_holder) is PageStates
    assert type(page.state_holder["a page"]) is PageState
    assert type(page._queue.pending_messages_per_session) is PendingMessages
