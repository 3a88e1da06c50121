import logging

import pytest

from lavie.convert import resolve
from lavie.errors import CheckpointError


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    def choose_source(repository):
        raise CheckpointError(f"asked for {repository}")

    monkeypatch.setattr(resolve, "choose_source", choose_source)


def test_a_network_of_another_stage_is_refused_before_its_download():
    with pytest.raises(CheckpointError, match=r"seine\.pt is the long_video network"):
        resolve.load_pipeline("xinyuanc91/SEINE")


@pytest.mark.parametrize("is_cached", [False, True])
def test_a_download_is_told_with_its_size_and_licence(is_cached, caplog, monkeypatch):
    monkeypatch.setattr(resolve, "is_cached", lambda network, repository: is_cached)
    with caplog.at_level(logging.WARNING), pytest.raises(CheckpointError, match="asked for"):
        resolve.load_pipeline("Vchitect/LaVie")
    assert ("3.64 GB from Vchitect/LaVie; licence" in caplog.text) != is_cached
