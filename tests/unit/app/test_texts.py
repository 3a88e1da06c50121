import ast
import re
from pathlib import Path

from app import texts

MODULES = sorted(Path(texts.__file__).parent.glob("[a-z]*.py"))


def defined_in(module: Path) -> set[str]:
    body = ast.parse(module.read_text(encoding="utf-8")).body
    names = {node.name for node in body if isinstance(node, ast.FunctionDef)}
    targets = [
        target
        for node in body
        if isinstance(node, ast.Assign | ast.AnnAssign)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
    ]
    return names | {
        node.id for target in targets for node in ast.walk(target) if type(node) is ast.Name
    }


def test_every_word_has_one_place_and_is_said_by_its_name():
    places: dict[str, str] = {}
    for module in MODULES:
        if module.stem in ("films", "loras", "lora_rules"):  # vocabularies of their own
            continue
        for name in defined_in(module):
            assert name not in places, (name, module.name, places[name])
            assert hasattr(texts, name)
            places[name] = module.name
    assert len(places) > 300


def test_no_word_is_left_that_nobody_says():
    app = Path(texts.__file__).parents[1]
    files = [*app.rglob("*.py"), app.with_suffix(".py")]
    code = "\n".join(file.read_text(encoding="utf-8") for file in files)
    for module in MODULES:
        for name in defined_in(module):
            assert len(re.findall(rf"\b{name}\b", code)) > 1, name
