from enum import Enum
from pathlib import Path
from typing import Annotated, Literal

import pytest
from pydantic import Field, ValidationError, field_validator

from lavie import config
from lavie.config import Config, dump_config, load_config, preset_names
from lavie.errors import ConfigError


class Scheme(Enum):
    JOINT = "joint"
    VIDEO_ONLY = "video_only"


class OptimizerConfig(Config):
    learning_rate: float = Field(1e-4, gt=0)
    betas: tuple[float, float] = (0.9, 0.999)


class FolderSource(Config):
    kind: Literal["folder"]
    path: Path


class WorldSource(Config):
    kind: Literal["world"]
    num_clips: int = Field(100, ge=1)


class RunConfig(Config):
    seed: int = 0
    width: int = 512
    output: Path = Path("runs")
    scheme: Scheme = Scheme.JOINT
    mode: Literal["fp32", "bf16"] = "fp32"
    num_steps: int | None = None
    optimizer: OptimizerConfig = OptimizerConfig()
    sources: tuple[Annotated[FolderSource | WorldSource, Field(discriminator="kind")], ...] = ()

    @field_validator("width")
    @classmethod
    def _check_width(cls, width: int) -> int:
        if width % 8:
            raise ValueError(f"Width {width} is not a multiple of 8. Use {width // 8 * 8}.")
        return width


class NamedConfig(Config):
    name: str


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def refused(schema=RunConfig, **arguments) -> str:
    with pytest.raises(ConfigError) as caught:
        load_config(schema, **arguments)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.fixture
def presets(tmp_path, monkeypatch):
    folder = tmp_path / "presets"
    folder.mkdir()
    write(
        folder / "train-base.yaml",
        "seed: 1\nwidth: 256\noptimizer: {learning_rate: 1e-3, betas: [0.8, 0.99]}\n",
    )
    monkeypatch.setattr(config, "PRESETS", folder)
    return folder


def test_nothing_given_is_the_schema_with_its_defaults():
    assert load_config(RunConfig) == RunConfig()


def test_file_wins_over_preset_and_overrides_win_over_both(presets, tmp_path):
    file = write(tmp_path / "run.yaml", "width: 320\noptimizer: {betas: [0.5, 0.9]}\n")
    loaded = load_config(RunConfig, "train-base", file, ["width=64", "optimizer.betas=[0.1, 0.2]"])
    assert loaded == RunConfig(
        seed=1, width=64, optimizer=OptimizerConfig(learning_rate=1e-3, betas=(0.1, 0.2))
    )


def test_the_last_override_wins():
    assert load_config(RunConfig, overrides=["seed=1", "seed=2"]).seed == 2


def test_an_override_may_hold_an_equals_sign_and_may_be_null():
    assert load_config(RunConfig, overrides=["output=a=b"]).output == Path("a=b")
    assert load_config(RunConfig, overrides=["num_steps=5", "num_steps=null"]).num_steps is None


@pytest.mark.parametrize("text", ["1e-4", "1E-4", "+1e-4", "1.0e-4", "0.0001"])
def test_every_usual_way_to_write_a_small_number_is_a_number(text):
    loaded = load_config(RunConfig, overrides=[f"optimizer.learning_rate={text}"])
    assert loaded.optimizer.learning_rate == 1e-4


def test_paths_enums_tuples_and_unions_are_read_from_yaml(tmp_path):
    file = write(
        tmp_path / "run.yaml",
        "output: results\nscheme: video_only\n"
        "sources:\n- {kind: folder, path: clips}\n- {kind: world, num_clips: 7}\n",
    )
    loaded = load_config(RunConfig, file=file)
    assert loaded.output == Path("results")
    assert loaded.scheme is Scheme.VIDEO_ONLY
    assert loaded.sources == (
        FolderSource(kind="folder", path=Path("clips")),
        WorldSource(kind="world", num_clips=7),
    )


def test_dump_and_load_is_identity(tmp_path):
    original = RunConfig(
        scheme=Scheme.VIDEO_ONLY,
        optimizer=OptimizerConfig(learning_rate=3e-5),
        sources=(FolderSource(kind="folder", path=Path("clips ä")),),
    )
    file = write(tmp_path / "run.yaml", dump_config(original))
    assert load_config(RunConfig, file=file) == original


def test_an_empty_file_changes_nothing(tmp_path):
    assert load_config(RunConfig, file=write(tmp_path / "run.yaml", "# nothing\n")) == RunConfig()


def test_anchors_and_merge_keys_work(tmp_path):
    file = write(
        tmp_path / "run.yaml",
        "sources:\n- &world {kind: world, num_clips: 1}\n- {<<: *world, num_clips: 7}\n- *world\n",
    )
    assert [s.num_clips for s in load_config(RunConfig, file=file).sources] == [1, 7, 1]


def test_settings_never_change():
    with pytest.raises(ValidationError, match="frozen"):
        RunConfig().seed = 1


# What a user can get wrong.


def test_a_misspelt_key_names_the_nearest_key():
    assert refused(overrides=["sede=1"]) == (
        "Key 'sede' (--set sede=1) is unknown; did you mean 'seed'?"
    )


def test_a_misspelt_nested_key_names_its_neighbour_and_its_file(tmp_path):
    file = write(tmp_path / "run.yaml", "optimizer:\n  lerning_rate: 1\n")
    assert refused(file=file) == (
        f"Key 'optimizer.lerning_rate' ({file}) is unknown; did you mean 'optimizer.learning_rate'?"
    )


def test_a_key_at_the_wrong_level_names_the_right_one():
    assert "did you mean 'optimizer.learning_rate'?" in refused(overrides=["learning_rate=1"])


def test_a_key_like_no_other_lists_the_known_ones():
    assert "known here are learning_rate, betas." in refused(overrides=["optimizer.xyzzy=1"])


def test_a_misspelt_key_inside_a_union_is_shown_as_it_was_written(tmp_path):
    file = write(tmp_path / "run.yaml", "sources:\n- {kind: world, num_clip: 7}\n")
    message = refused(file=file)
    assert message.startswith("Key 'sources.0.num_clip' ")
    assert "num_clips" in message


def test_a_value_out_of_range_names_value_rule_and_an_example():
    assert refused(overrides=["optimizer.learning_rate=-1"]) == (
        "Value -1 of 'optimizer.learning_rate' (--set optimizer.learning_rate=-1) "
        "should be greater than 0; for example 0.0001."
    )


@pytest.mark.parametrize("value", ["'5'", "true", "1.5", "five"])
def test_a_value_of_another_type_is_refused_not_converted(value):
    assert "should be a valid integer; for example 0." in refused(overrides=[f"seed={value}"])


def test_a_choice_lists_the_choices():
    assert "should be 'fp32' or 'bf16'" in refused(overrides=["mode=fp8"])
    assert "should be 'joint' or 'video_only'" in refused(overrides=["scheme=none"])


def test_a_section_without_its_keys_is_refused():
    assert "Value 3 of 'optimizer'" in refused(overrides=["optimizer=3"])


def test_the_sentence_of_a_validator_is_passed_on():
    assert refused(overrides=["width=500"]) == "Width 500 is not a multiple of 8. Use 496."


def test_every_problem_is_told():
    message = refused(overrides=["width=500", "sede=1"])
    assert "Use 496." in message
    assert "'seed'?" in message


def test_a_long_value_is_shortened():
    assert len(refused(overrides=[f"seed={'x' * 5000}"]).split(" of ")[0]) < 80


def test_a_missing_key_says_how_to_give_it():
    assert refused(NamedConfig) == (
        "Key 'name' is missing; give it with --set name=VALUE or in a file."
    )


@pytest.mark.parametrize("text", ["seed", "=1", "a..b=1", ".seed=1"])
def test_an_override_without_key_and_value_is_refused(text):
    assert "not of the form key=value" in refused(overrides=[text])


def test_an_unknown_preset_names_the_nearest(presets):
    assert preset_names() == ["train-base"]
    assert refused(preset="train-bas") == (
        "Preset 'train-bas' is unknown; did you mean 'train-base'?"
    )
    assert refused(preset="../secret") == "Preset '../secret' is unknown; there are train-base."


def test_a_missing_file_is_refused(tmp_path):
    assert "can't be read" in refused(file=tmp_path / "nowhere.yaml")


@pytest.mark.parametrize("text", ["- 1\n- 2\n", "hello\n"])
def test_a_file_without_settings_is_refused(tmp_path, text):
    assert "holds no settings" in refused(file=write(tmp_path / "run.yaml", text))


def test_broken_yaml_names_the_line(tmp_path):
    message = refused(file=write(tmp_path / "run.yaml", "seed: 1\nwidth: [\n"))
    assert "is not valid YAML" in message
    assert "line 3" in message


@pytest.mark.parametrize(
    "text",
    [
        "seed: &a [*a]",
        "seed: " + "[" * 5000 + "]" * 5000,
        "seed: 2020-13-45",
        "? !!binary aGVsbG8=\n: 1",
        "2020-01-01: 1",
    ],
)
def test_yaml_that_no_setting_can_hold_is_refused(tmp_path, text):
    assert refused(file=write(tmp_path / "run.yaml", text))


def test_a_key_that_stands_twice_is_refused(tmp_path):
    message = refused(file=write(tmp_path / "run.yaml", "seed: 1\nseed: 2\n"))
    assert "key 'seed' stands twice" in message


def test_yaml_never_makes_python_objects(tmp_path):
    file = write(tmp_path / "run.yaml", "seed: !!python/object/apply:os.getcwd []\n")
    assert "is not valid YAML" in refused(file=file)


def test_a_file_that_is_not_text_is_refused(tmp_path):
    file = tmp_path / "run.yaml"
    file.write_bytes(b"\xff\xfe\x00seed")
    assert "can't be read" in refused(file=file)
