"""Run settings: one strict schema, filled from YAML preset < file < ``--set a.b=c``.

Strict means: an unknown key is an error that names the nearest one, a value of the wrong type is
refused rather than converted, and so is a key that stands twice in a file.
"""

import difflib
import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, TypeVar, cast, get_args

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from lavie.errors import ConfigError

PRESETS = Path(__file__).parent / "presets"

Values = dict[str, Any]
Loc = tuple[int | str, ...]
Schema = TypeVar("Schema", bound=BaseModel)


class Config(BaseModel):
    """Base of a settings schema: unknown keys are refused and instances never change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class _Layer(NamedTuple):
    """Settings, and where they were written."""

    origin: str
    values: Values


def preset_names() -> list[str]:
    """Names of the files in ``lavie/presets``, in alphabetical order."""
    return sorted(path.stem for path in PRESETS.glob("*.yaml"))


def preset_that_makes(model_folder: Path) -> str | None:
    """The preset whose run leaves a model folder, by the ``output`` that it names."""
    for name in preset_names():
        output = _read_yaml(_preset_path(name)).get("output")
        if output is not None and Path(output) / "model" == model_folder:
            return name
    return None


def load_config(
    schema: type[Schema],
    preset: str | None = None,
    file: Path | None = None,
    overrides: Iterable[str] = (),
) -> Schema:
    """The settings of one run, checked.

    Args:
        schema: The pydantic model to fill, derived from `Config`.
        preset: Name of a file in ``lavie/presets`` without its ending. None: no preset.
        file: YAML file whose keys win over the preset's. Mappings merge key by key, lists and
            values are replaced.
        overrides: ``"a.b=c"`` each, ``c`` in YAML. They win over preset and file, the last first.

    Returns:
        An instance of ``schema``.

    Raises:
        ConfigError: A preset or file can't be read, a key is unknown, or a value breaks a rule.
    """
    layers: list[_Layer] = []
    if preset is not None:
        layers.append(_Layer(f"preset {preset}", _read_yaml(_preset_path(preset))))
    if file is not None:
        layers.append(_Layer(str(file), _read_yaml(file)))
    layers.extend(_Layer(f"--set {text}", _parse_override(text)) for text in overrides)

    values: Values = {}
    for layer in layers:
        values = _merge(values, layer.values)
    try:
        # As JSON, because strict mode then still reads paths from strings and tuples from lists.
        return schema.model_validate_json(_as_json(values), strict=True)
    except ValidationError as error:
        sentences = [_explain(problem, schema, values, layers) for problem in error.errors()]
        raise ConfigError(" ".join(sentences)) from error


def dump_config(config: BaseModel) -> str:
    """YAML text from which `load_config` makes an equal instance."""
    return yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


# Reading: files and overrides become nested dictionaries.


class _StrictLoader(yaml.SafeLoader):
    """Safe YAML in which ``1e-4`` is a number and a key stands once."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        names = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        for name in names:
            if names.count(name) > 1:
                raise yaml.YAMLError(f"key '{name}' stands twice; keep one of them")
        return super().construct_mapping(node, deep)


# YAML 1.1 reads 1.0e-4 as a number and 1e-4 as a string; Python prints the latter.
cast(Any, _StrictLoader).add_implicit_resolver(  # PyYAML's stubs leave it untyped
    "tag:yaml.org,2002:float", re.compile(r"[-+]?\d+(\.\d*)?[eE][-+]?\d+$"), list("-+0123456789")
)


def _parse_yaml(text: str, origin: str) -> object:
    try:
        return cast(object, _StrictLoader(text).get_single_data())
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # an impossible date, a ladder
        reason = " ".join(str(error).split())
        raise ConfigError(f"{origin} is not valid YAML: {reason}.") from error


def _read_yaml(path: Path) -> Values:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"Config file {path} can't be read: {error}.") from error
    values = _parse_yaml(text, f"Config file {path}")
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise ConfigError(f"Config file {path} holds no settings; write lines like 'seed: 1'.")
    return cast(Values, values)


def _preset_path(name: str) -> Path:
    names = preset_names()
    if name not in names:
        found = difflib.get_close_matches(name, names, n=1)
        hint = f"did you mean '{found[0]}'?" if found else f"there are {', '.join(names)}."
        raise ConfigError(f"Preset '{name}' is unknown; {hint}")
    return PRESETS / f"{name}.yaml"


def _parse_override(text: str) -> Values:
    key, equals, value = text.partition("=")
    parts = key.strip().split(".")
    if not equals or not all(parts):
        raise ConfigError(f"Override '{text}' is not of the form key=value; try --set seed=1.")
    values: Any = _parse_yaml(value, f"The value of override '{text}'")
    for part in reversed(parts):
        values = {part: values}
    return values


def _as_json(values: Values) -> str:
    try:
        return json.dumps(values, default=str)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"The settings hold what can't be said in JSON: {error}.") from error


def _merge(base: Values, extra: Values) -> Values:
    merged = dict(base)
    for key, value in extra.items():
        old = merged.get(key)
        if isinstance(old, dict) and isinstance(value, dict):
            value = _merge(cast(Values, old), cast(Values, value))
        merged[key] = value
    return merged


# Explaining: what pydantic found becomes one sentence with the value, the rule and the way out.


def _explain(
    problem: ErrorDetails, schema: type[BaseModel], values: Values, layers: list[_Layer]
) -> str:
    loc = problem["loc"]
    if problem["type"] == "value_error":  # a schema's own validator: already a sentence
        return str(problem.get("ctx", {}).get("error", problem["msg"]))
    parts = _written(loc, values)
    key, origin = ".".join(str(part) for part in parts), _origin(parts, layers)
    if problem["type"] == "extra_forbidden":
        return f"Key '{key}'{origin} is unknown; {_suggest(loc, schema)}"
    if problem["type"] == "missing":
        return f"Key '{key}' is missing; give it with --set {key}=VALUE or in a file."
    rule = problem["msg"].rpartition(" should ")[2]
    return f"Value {_shown(problem['input'])} of '{key}'{origin} should {rule}{_hint(loc, schema)}."


def _written(loc: Loc, values: object) -> Loc:
    """`loc` without the union tags that pydantic puts between the keys."""
    parts: list[int | str] = []
    for part in loc[:-1]:
        try:
            values = _child(values, part)
        except (LookupError, TypeError):
            continue
        parts.append(part)
    return (*parts, *loc[-1:])


def _origin(parts: Loc, layers: list[_Layer]) -> str:
    """The last layer that wrote a key, in brackets."""
    for layer in reversed(layers):
        values: object = layer.values
        try:
            for part in parts:
                values = _child(values, part)
        except (LookupError, TypeError):
            continue
        return f" ({layer.origin})"
    return ""


def _child(values: object, part: int | str) -> object:
    return cast(Any, values)[part]


def _suggest(loc: Loc, schema: type[BaseModel]) -> str:
    """The nearest known key: among the neighbours if one is near, else anywhere in the schema."""
    unknown, parent = str(loc[-1]), ".".join(part for part in loc[:-1] if isinstance(part, str))
    neighbours = [name for model in _models_at(loc[:-1], schema) for name in model.model_fields]
    found = difflib.get_close_matches(unknown, neighbours, n=1)
    if found:
        return f"did you mean '{parent}.{found[0]}'?" if parent else f"did you mean '{found[0]}'?"
    paths = {path.rpartition(".")[2]: path for path in _all_keys(schema)}
    found = difflib.get_close_matches(unknown, paths, n=1)
    if found:
        return f"did you mean '{paths[found[0]]}'?"
    return f"known here are {', '.join(neighbours)}."


def _hint(loc: Loc, schema: type[BaseModel]) -> str:
    """The field's own default as an example of a value that fits."""
    for model in _models_at(loc[:-1], schema):
        field = model.model_fields.get(str(loc[-1]))
        if field is not None and isinstance(field.default, bool | int | float | str):
            return f"; for example {_shown(field.default)}"
    return ""


def _shown(value: object) -> str:
    text = json.dumps(value, default=str, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _models_at(loc: Loc, schema: type[BaseModel]) -> list[type[BaseModel]]:
    """The models that can stand at `loc`: more than one where the schema has a union."""
    models = [schema]
    for part in loc:
        fields = [model.model_fields.get(str(part)) for model in models]
        inner = [model for field in fields if field for model in _models_in(field.annotation)]
        models = inner or models  # a list index or a union tag leads to no new model
    return models


def _models_in(annotation: object) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models_in(part)


def _all_keys(schema: type[BaseModel], prefix: str = "") -> Iterator[str]:
    for name, field in schema.model_fields.items():
        yield prefix + name
        for model in _models_in(field.annotation):
            yield from _all_keys(model, f"{prefix}{name}.")
