from collections.abc import Iterator

import pytest
from gradio_client import Client

from tests.integration.studio import Studio, serving


@pytest.fixture(scope="module")
def studio(request, tmp_path_factory) -> Iterator[Studio]:
    """A studio for the tests of a module, started with its ``STUDIO_FLAGS`` if it has any."""
    flags = getattr(request.module, "STUDIO_FLAGS", ())
    with serving(tmp_path_factory.mktemp("studio"), *flags) as studio:
        yield studio


@pytest.fixture(scope="module")
def client(studio, tmp_path_factory) -> Client:
    """A program that asks the module's studio."""
    return Client(studio.url, verbose=False, download_files=tmp_path_factory.mktemp("got"))
