from collections import Counter
from itertools import islice

import pytest

from lavie.data.config import SourceConfig
from lavie.data.mixing import Mixture
from lavie.data.opening import open_mixture
from lavie.data.world_source import WorldSource
from lavie.errors import ConfigError
from tests.unit.data.media_files import write_captioned


class Numbered(WorldSource):
    """Samples that only say who they are, in no time."""

    def __init__(self, name):
        super().__init__("train", 2)
        self.name = name

    def draws(self, seed, start=0, rank=0, world_size=1):
        index = rank + start * world_size
        while True:
            yield lambda index=index: f"{self.name}{index}"
            index += world_size


def mixture(*settings, samples_per_step=10):
    configs = [SourceConfig(kind="world", **entry) for entry in settings]
    return Mixture([Numbered("abc"[i]) for i in range(len(configs))], configs, samples_per_step)


def take(source, count, seed=0, **arguments):
    return list(islice(source.iterate(seed, **arguments), count))


def test_shares_follow_the_weights():
    names = Counter(name[0] for name in take(mixture({"weight": 3}, {"weight": 1}), 4000))
    assert names["a"] / 4000 == pytest.approx(0.75, abs=0.03)


def test_a_curriculum_switches_sources_by_step():
    source = mixture({"to_step": 30}, {"from_step": 10}, {"from_step": 20, "to_step": 40})
    names = [name[0] for name in take(source, 500)]
    steps = [set(names[i : i + 100]) for i in range(0, 500, 100)]
    assert steps == [{"a"}, {"a", "b"}, {"a", "b", "c"}, {"b", "c"}, {"b"}]


def test_every_source_is_read_without_gaps():
    names = take(mixture({}, {"weight": 2}), 300)
    for source in "ab":
        numbers = [int(name[1:]) for name in names if name[0] == source]
        assert numbers == list(range(len(numbers)))


@pytest.mark.parametrize("start", [1, 999, 1024, 2500])
def test_a_resumed_run_sees_the_same_samples(start):
    source = mixture({"to_step": 200}, {"from_step": 50, "weight": 3}, samples_per_step=7)
    assert take(source, 300, start=start) == take(source, 300 + start)[start:]


def test_processes_do_not_share_samples():
    parts = [take(mixture({}, {}), 200, rank=rank, world_size=3) for rank in range(3)]
    everything = [name for part in parts for name in part]
    assert len(everything) == len(set(everything))
    assert [n[0] for n in parts[0]] != [n[0] for n in parts[1]]


@pytest.mark.parametrize(
    ("settings", "step"),
    [
        ([], 0),
        ([{"from_step": 1}], 0),
        ([{"to_step": 5}], 5),
        ([{"to_step": 5}, {"from_step": 6}], 5),
    ],
)
def test_a_step_without_a_source_is_refused(settings, step):
    with pytest.raises(ConfigError, match=f"in step {step};"):
        mixture(*settings)


def test_real_files_mix_with_the_world(tmp_path):
    write_captioned(tmp_path, "a", 100)
    write_captioned(tmp_path, "b", 100)
    (tmp_path / "b.mp4").write_text("broken")
    configs = [
        SourceConfig(kind="world", to_step=2),
        SourceConfig(kind="folder", path=tmp_path, from_step=1),
    ]
    source = open_mixture(configs, 4, 40, 64, 8.0, samples_per_step=6)
    samples = source.iterate(0, num_threads=2)
    names = [sample.caption for sample in islice(samples, 18)]
    samples.close()
    assert "a clip called a" not in names[:6]
    assert set(names[12:]) == {"a clip called a"}
    assert "1 unreadable" in source.summary()
    assert source.num_clips is None
