import pytest

from lavie.config import load_config
from lavie.data.config import SourceConfig
from lavie.errors import ConfigError


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["kind=folder"], "needs a path"),
        (["kind=world", "path=/somewhere"], "takes no path"),
        (["kind=webdataset"], "needs urls"),
        (["kind=folder", "path=a", 'urls=["b.tar"]'], "takes no urls"),
        (["kind=folder", "path=a", "split=test"], "no split 'test'"),
        (["kind=world", "from_step=5", "to_step=5"], "which is never"),
        (["kind=world", "weight=0"], "weight"),
        (["kind=world", "wieght=1"], "did you mean 'weight'"),
        (["kind=moon"], "kind"),
        (["kind=world", "stills=true", "subjects=[shark]"], "subjects of the world are panda"),
        (["kind=world", "stills=true", "subjects=[]"], "name some"),
        (["kind=world", "subjects=[panda]"], "Only stills"),
        (["kind=world", "any_size=true"], "Only stills"),
        (["kind=world", "motions=[fly]"], "motions of the world are left"),
        (["kind=world", "motions=[]"], "name some"),
        (["kind=world", "stills=true", "motions=[grow]"], "Only clips"),
    ],
)
def test_settings_that_contradict_themselves_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        load_config(SourceConfig, overrides=settings)


def test_a_source_is_active_between_its_steps():
    config = SourceConfig(kind="world", from_step=10, to_step=20)
    assert [config.is_active(step) for step in (9, 10, 19, 20)] == [False, True, True, False]
    assert SourceConfig(kind="world").is_active(10**9)
