from app.crews import choose_crew
from app.jobs.__main__ import create_parser
from lavie.cli.shared import stage_folders


def test_workers_are_told_everything_that_the_server_was(monkeypatch):
    commands = []
    monkeypatch.setattr("app.crews.ProcessCrew", lambda command, *_: commands.append(command))
    stages = {"long_video": "my films", "interpolation": "smooth"}
    choose_crew("some/model", 1, None, "checker:check", "8gb", stages)
    (command,) = commands
    assert command[1:3] == ["-m", "app.jobs"]
    told = create_parser().parse_args([*command[3:], "--wire", "sqlite:", "--data", "here"])
    assert (told.model, told.safety, told.profile) == ("some/model", "checker:check", "8gb")
    assert stage_folders(told) == stages
