import pytest

from lavie.config import load_config
from lavie.errors import ConfigError
from lavie.training.checkpoint import CHECKPOINTS, Progressed, save_checkpoint
from lavie.training.config import OptimizerConfig, RunConfig
from lavie.training.record import check_record, warn_of_other_processes, write_record

HASH = "0123456789abcdef"
COMMAND = "python -m lavie train {stage} --config {path}"


@pytest.fixture
def config(tmp_path):
    return RunConfig(output=tmp_path / "run", num_steps=5)


def test_the_record_is_a_file_that_makes_the_same_settings(config):
    write_record("vae", config, HASH, COMMAND)
    path = config.output / "run.yaml"
    assert load_config(RunConfig, file=path) == config
    assert path.read_text().startswith("# stage: vae\n# lavie: ")
    assert f"\n# weights at the start: {HASH}\n" in path.read_text()


def test_the_same_settings_may_go_on_and_do_more_steps(config):
    check_record("vae", config)
    write_record("vae", config, HASH, COMMAND)
    check_record("vae", config)
    check_record("vae", config.model_copy(update={"num_steps": 9, "log_every": 1}))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"seed": 1}, "its seed is 0, not 1"),
        ({"optimizer": OptimizerConfig(learning_rate=0.5)}, "its optimizer is"),
    ],
)
def test_other_settings_are_refused_by_name(config, change, words):
    write_record("vae", config, HASH, COMMAND)
    with pytest.raises(ConfigError, match=words):
        check_record("vae", config.model_copy(update=change))


def test_another_stage_is_refused(config):
    write_record("vae", config, HASH, COMMAND)
    with pytest.raises(ConfigError, match="of stage 'vae'. Use another output"):
        check_record("image", config)


def test_a_damaged_record_is_refused(config):
    write_record("vae", config, HASH, COMMAND)
    (config.output / "run.yaml").write_text("# stage: vae\nseed: [")
    with pytest.raises(ConfigError, match="another run"):
        check_record("vae", config)


def test_steps_already_done_cannot_be_undone(config):
    write_record("vae", config, HASH, COMMAND)
    save_checkpoint(config.output / CHECKPOINTS, Progressed(5, 10), {}, keep=2)
    check_record("vae", config)
    save_checkpoint(config.output / CHECKPOINTS, Progressed(6, 12), {}, keep=2)
    with pytest.raises(ConfigError, match="num_steps 5 is less than the 6"):
        check_record("vae", config)


def test_another_number_of_processes_is_warned_of(caplog):
    warn_of_other_processes(Progressed(3, 6, num_processes=2), 2)
    assert not caplog.records
    warn_of_other_processes(Progressed(3, 6, num_processes=2), 1)
    assert "2 processes before, 1 now" in caplog.text
