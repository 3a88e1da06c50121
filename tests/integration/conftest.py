from collections.abc import Iterator

import pytest

from tests.integration.studio import Studio, serving


@pytest.fixture(scope="module")
def studio(request, tmp_path_factory) -> Iterator[Studio]:
    """A studio for the tests of a module, started with its ``STUDIO_FLAGS`` if it has any."""
    flags = getattr(request.module, "STUDIO_FLAGS", ())
    with serving(tmp_path_factory.mktemp("studio"), *flags) as studio:
        yield studio
