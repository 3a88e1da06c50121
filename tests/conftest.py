import pytest


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory):
    """A tiny model with random weights. Shared: tests that change anything copy it."""
    from tests.tiny import write_tiny_model  # torch, which tests of the page do without

    return write_tiny_model(tmp_path_factory.mktemp("model"))
