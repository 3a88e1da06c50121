import pytest


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory):
    """A tiny model with random weights. Shared: tests that change anything copy it."""
    from tests.tiny import write_tiny_model  # torch, which tests of the page do without

    return write_tiny_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="session")
def cascade_folder(tmp_path_factory):
    """A tiny model of all three stages with random weights. Shared, as `model_folder`."""
    from tests.tiny import write_tiny_cascade

    return write_tiny_cascade(tmp_path_factory.mktemp("cascade"))
