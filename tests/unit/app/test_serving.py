import asyncio

import pytest
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from app.serving import PROXIES_OF_A_SPACE


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
