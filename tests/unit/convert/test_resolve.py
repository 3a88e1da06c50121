import logging

import pytest

from lavie.convert import resolve
from lavie.convert.stages import find_stages
from lavie.errors import CheckpointError


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    def choose_source(repository, stage):
        raise CheckpointError(f"asked for {stage} of {repository}")

    monkeypatch.setattr(resolve, "choose_source", choose_source)


def test_a_network_of_another_stage_is_refused_before_its_download():
    with pytest.raises(CheckpointError, match=r"seine\.pt is the long_video network"):
        resolve.load_pipeline("xinyuanc91/SEINE")


@pytest.mark.parametrize("is_cached", [False, True])
def test_a_download_is_told_with_its_size_and_licence(is_cached, caplog, monkeypatch):
    monkeypatch.setattr(resolve, "is_cached", lambda network, repository: is_cached)
    with (
        caplog.at_level(logging.WARNING),
        pytest.raises(CheckpointError, match="for base of"),
    ):
        resolve.load_pipeline("Vchitect/LaVie")
    assert ("3.64 GB from Vchitect/LaVie; licence" in caplog.text) != is_cached


@pytest.mark.parametrize("repository", ["Vchitect/LaVie", "YaohuiW/LaVie"])
def test_the_published_repositories_have_all_stages(repository):
    assert find_stages(repository) == ("base", "interpolation", "super_resolution")


def test_each_stage_asks_for_its_own_checkpoint(monkeypatch, caplog):
    monkeypatch.setattr(resolve, "is_cached", lambda network, repository: False)
    with caplog.at_level(logging.WARNING), pytest.raises(CheckpointError, match="super_resolution"):
        resolve.load_stage("Vchitect/LaVie", "super_resolution")
    assert "lavie_vsr.pt: about 2.76 GB" in caplog.text
    assert "CreativeML OpenRAIL++-M" in caplog.text


def test_the_long_video_repository_has_that_stage_alone():
    assert find_stages("xinyuanc91/SEINE") == ("long_video",)
    with pytest.raises(CheckpointError, match="has no stage 'interpolation'"):
        resolve.load_stage("xinyuanc91/SEINE", "interpolation")
