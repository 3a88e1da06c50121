"""The house itself: what the README, the Space and the import layers promise."""

import re
import runpy
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
SPACE_COLORS = {"red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray"}
RUN_COMMAND = "pip install -r requirements.txt -c constraints.txt && python app.py"
TEST_COMMAND = "pip install -r requirements-dev.txt -c constraints.txt && pytest"


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)


def code_blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def requirements(name: str) -> dict[str, str]:
    """Package name to version rule, without what the file includes by ``-r``."""
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    rows = [
        re.match(r"([\w.-]+)([^#]*)", line) for line in lines if not line.startswith(("#", "-"))
    ]
    return {re.sub(r"[-_.]+", "-", row[1]).lower(): row[2].strip() for row in rows if row}


def test_front_matter_is_a_valid_space_card():
    card = yaml.safe_load(README.split("---\n")[1])
    assert card["sdk"] == "gradio"
    assert f"=={card['sdk_version']}" == requirements("constraints.txt")["gradio"]
    assert re.fullmatch(r"3\.1[1-9](\.\d+)?", card["python_version"])
    assert (ROOT / card["app_file"]).is_file()
    assert {card["colorFrom"], card["colorTo"]} <= SPACE_COLORS
    assert len(card["short_description"]) <= 60
    assert card["license"] == "apache-2.0"


def test_readme_gives_the_two_commands_word_for_word():
    commands = {block.strip() for block in code_blocks("bash")}
    assert {RUN_COMMAND, TEST_COMMAND} <= commands


def test_ci_runs_the_command_of_the_readme():
    script = ROOT / ".ci" / "run"
    assert script.stat().st_mode & 0o111
    assert script.read_text(encoding="utf-8").splitlines()[-1] == TEST_COMMAND
    assert run("bash", "-n", str(script)).returncode == 0


def test_every_local_link_of_the_documents_leads_somewhere():
    for document in ["README.md", "CONTRIBUTING.md"]:
        text = (ROOT / document).read_text(encoding="utf-8")
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", text):
            assert (ROOT / target).exists(), f"{document} links to {target}"


def test_every_command_in_the_readme_is_one_that_the_parser_knows(capsys):
    from lavie.cli import create_parser

    lines = [
        line for block in code_blocks("bash") for line in block.replace("\\\n", "").splitlines()
    ]
    commands = [line for line in lines if line.startswith("python -m lavie ")]
    assert commands
    for command in commands:
        create_parser().parse_args(shlex.split(command, comments=True)[3:])


def test_python_in_the_readme_imports_names_that_exist():
    imports = re.findall(
        r"^from (\S+) import (.+)$", "\n".join(code_blocks("python")), re.MULTILINE
    )
    assert imports
    for module, names in imports:
        imported = __import__(module, fromlist=["*"])
        assert all(hasattr(imported, name.strip()) for name in names.split(","))


def test_help_of_the_command_line_lists_what_it_can_do():
    result = run(sys.executable, "-m", "lavie", "--help")
    assert result.returncode == 0
    commands = set(re.findall(r"^    (\w+) ", result.stdout, re.MULTILINE))
    assert {"generate", "train", "convert", "world", "evaluate", "info"} <= commands


def test_help_of_the_page_explains_its_flags():
    result = run(sys.executable, "app.py", "--help")
    assert result.returncode == 0
    assert "--share" in result.stdout


def test_the_page_serves_a_folder_of_its_own_and_not_the_command_lines():
    from lavie.cli.shared import OUTPUT_FOLDER

    parser = runpy.run_path(str(ROOT / "app.py"))["create_parser"]()
    data = parser.parse_args([]).data
    assert data.resolve().is_relative_to(OUTPUT_FOLDER.resolve())
    assert data != OUTPUT_FOLDER


def test_constraints_pin_everything_that_is_required_exactly():
    pins = requirements("constraints.txt")
    assert all(re.fullmatch(r"==[\w.!]+", rule) for rule in pins.values())
    for name in ["requirements.txt", "requirements-dev.txt"]:
        assert requirements(name).keys() <= pins.keys()


def test_rooms_import_only_from_rooms_below():
    result = run(str(Path(sys.executable).parent / "lint-imports"), "--no-cache", "--no-logo")
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize("module", ["lavie", "lavie.cli", "lavie.types", "lavie.config"])
def test_importing_the_light_modules_loads_no_heavy_package(module):
    code = f"import sys, {module}; print({{'torch', 'diffusers', 'gradio'}} & set(sys.modules))"
    assert run(sys.executable, "-c", code).stdout.strip() == "set()"


@pytest.mark.parametrize("module", ["app.loras.service", "lora.registry"])
def test_the_library_of_loras_loads_no_heavy_package_until_weights_are_read(module):
    code = f"import sys, {module}; print({{'torch', 'diffusers'}} & set(sys.modules))"
    assert run(sys.executable, "-c", code).stdout.strip() == "set()"
