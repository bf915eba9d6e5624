"""Recipes: named functions that return a frozen typed dataclass, its YAML form, and changes to it.

A method package registers its recipes under the published names, grouped by family, because families share names::

    @recipe("vitb_256_mae_ce_32x4_ep300", family="ostrack")
    def vitb_256_mae_ce_32x4_ep300() -> Training: ...

``get_recipe("vitb_256_mae_ce_32x4_ep300")`` finds it; where two families use a name, ``"droptrack/<name>"`` says which.
Nothing here imports torch.
"""

from __future__ import annotations

import dataclasses
import difflib
import enum
import types
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar, Union

import yaml

T = TypeVar("T")
Recipe = Callable[[], Any]

_recipes: dict[tuple[str, str], Recipe] = {}


class UnknownRecipeError(ValueError):
    """No recipe has this name, or several have; the message names the nearest or all of them."""


class ConfigurationError(ValueError):
    """A configuration does not fit its dataclass; the message says where, and what was expected."""


def recipe(name: str, *, family: str) -> Callable[[Recipe], Recipe]:
    """Register the decorated function, which takes nothing and returns a configuration dataclass.

    Raises:
        ValueError: the family has such a recipe already, or a name holds a slash.
    """

    def register(function: Recipe) -> Recipe:
        if "/" in name or "/" in family:
            raise ValueError(f"names of recipes and families hold no slash, got {name!r} and {family!r}")
        if (family, name) in _recipes:
            raise ValueError(f"family {family!r} has a recipe {name!r} already")
        _recipes[family, name] = function
        return function

    return register


def recipe_names(family: str | None = None) -> list[str]:
    """Registered names, sorted: of one family as they are, of all families as ``family/name``."""
    if family is not None:
        return sorted(name for kin, name in _recipes if kin == family)
    return sorted(f"{kin}/{name}" for kin, name in _recipes)


def get_recipe(name: str, family: str | None = None) -> Any:
    """Build the configuration registered as ``name`` (or ``family/name``).

    Args:
        name: one of :func:`recipe_names`; the family may be left out where it is the only one with that name.
        family: look in this family only.

    Raises:
        UnknownRecipeError: no such recipe, or more than one.
    """
    if family is None and "/" in name:
        family, name = name.split("/", 1)
    found = [key for key in _recipes if key[1] == name and family in (None, key[0])]
    if len(found) == 1:
        return _recipes[found[0]]()
    if found:
        choices = " or ".join(sorted(f"{kin}/{name}" for kin, _ in found))
        raise UnknownRecipeError(f"several families have a recipe {name!r}: say {choices}")
    known = [key for key in _recipes if family in (None, key[0])] or list(_recipes)
    where = f" in family {family!r}" if family is not None else ""
    near = difflib.get_close_matches(name, {short for _, short in known}, n=1, cutoff=0.4)
    near = near or difflib.get_close_matches(f"{family}/{name}", recipe_names(), n=1, cutoff=0.4)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    listed = ", ".join(sorted(f"{kin}/{short}" for kin, short in known)) or "none"
    raise UnknownRecipeError(f"no recipe is called {name!r}{where}{hint} (known: {listed})")


def to_yaml(config: Any) -> str:
    """A configuration dataclass as YAML, in field order; :func:`from_yaml` reads it back.

    A dataclass in a field that admits several dataclasses carries its name under ``type``.
    """
    return yaml.safe_dump(_plain(config), sort_keys=False, allow_unicode=True, width=120)


def from_yaml(kind: type[T], text: str) -> T:
    """Build ``kind`` from YAML, strictly: every key must be known and every value of its field's type.

    Raises:
        ConfigurationError: not YAML, an unknown key (the nearest is named), a lacking key, or a wrong type; with the
            place, such as ``train.loop.batch_size``.
    """
    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigurationError(f"not valid YAML: {error}") from error
    return _build(kind, {} if content is None else content, "")


def override(config: T, place: str, value: Any) -> T:
    """A copy of ``config`` with the field at ``place`` (dotted, "train.loop.batch_size") set to ``value``.

    Raises:
        ConfigurationError: no such field (the nearest is named), or a value of another type.
    """
    return _override(config, place.split("."), value, "")


def apply_flags(config: T, flags: Sequence[str], *, prog: str | None = None, description: str | None = None) -> T:
    """A copy of ``config`` changed by command-line flags, such as ``["--loop.batch-size", "8"]``.

    ``--help`` prints all of them with their present values. Exits with a message on unknown flags, as programs do.
    """
    import tyro

    return tyro.cli(type(config), default=config, args=list(flags), prog=prog, description=description)


def _override(config: Any, path: list[str], value: Any, place: str) -> Any:
    here = _join(place, path[0])
    if not dataclasses.is_dataclass(config):
        raise ConfigurationError(f"{place} is a plain value, so there is no {here}")
    hints = _hints(type(config))
    if path[0] not in hints:
        raise _unknown_key(path[0], hints, place)
    hint = hints[path[0]]
    if len(path) > 1:
        changed = _override(getattr(config, path[0]), path[1:], value, here)
    else:
        changed = _convert(hint, _plain(value, len(_dataclasses_in(hint)) > 1), here)
    try:
        return dataclasses.replace(config, **{path[0]: changed})
    except ConfigurationError:
        raise
    except ValueError as error:  # the dataclass's own checks
        raise ConfigurationError(f"{here}: {error}") from error


def _plain(value: Any, tagged: bool = False) -> Any:
    """``value`` in dicts, lists and scalars."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        hints = _hints(type(value))
        fields = {name: _plain(getattr(value, name), len(_dataclasses_in(hint)) > 1) for name, hint in hints.items()}
        return {"type": type(value).__name__, **fields} if tagged else fields
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, enum.Enum):
        return value.name
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Path):
        return str(value)
    return value


def _build(kind: type, content: Any, place: str) -> Any:
    if not isinstance(content, dict):
        raise _wrong(place, f"the fields of {kind.__name__}", content)
    hints = _hints(kind)
    for key in content:
        if key not in hints:
            raise _unknown_key(key, hints, place)
    values = {key: _convert(hints[key], item, _join(place, key)) for key, item in content.items()}
    required = [
        field.name
        for field in dataclasses.fields(kind)
        if field.init and field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
    ]
    if lacking := [_join(place, name) for name in required if name not in values]:
        raise ConfigurationError(f"{kind.__name__} lacks {', '.join(lacking)}")
    try:
        return kind(**values)
    except ConfigurationError:
        raise
    except ValueError as error:  # the dataclass's own checks
        raise ConfigurationError(f"{place or kind.__name__}: {error}") from error


def _convert(hint: Any, value: Any, place: str) -> Any:
    """``value`` (dicts, lists, scalars) as the type ``hint`` says."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Annotated:
        return _convert(arguments[0], value, place)
    if hint is Any:
        return value
    if origin in (Union, types.UnionType):
        return _convert_union(arguments, value, place)
    if origin is Literal:
        if value not in arguments or type(value) not in {type(choice) for choice in arguments}:
            near = difflib.get_close_matches(str(value), [str(choice) for choice in arguments], n=1)
            hint_text = f"; did you mean {near[0]!r}?" if near else ""
            raise ConfigurationError(f"{place} must be one of {list(arguments)}, got {value!r}{hint_text}")
        return value
    if origin in (tuple, list, Sequence):
        return _convert_sequence(origin, arguments, value, place)
    if origin in (dict, Mapping):
        if not isinstance(value, dict):
            raise _wrong(place, "a mapping", value)
        key_hint, item_hint = arguments
        return {
            _convert(key_hint, name, place): _convert(item_hint, item, _join(place, str(name)))
            for name, item in value.items()
        }
    if dataclasses.is_dataclass(hint):
        return _build(hint, value, place)
    return _convert_scalar(hint, value, place)


def _convert_scalar(hint: Any, value: Any, place: str) -> Any:
    if hint in (None, type(None)):
        if value is not None:
            raise _wrong(place, "null", value)
        return None
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        if value not in hint.__members__:
            raise ConfigurationError(f"{place} must be one of {list(hint.__members__)}, got {value!r}")
        return hint[value]
    if isinstance(hint, type) and issubclass(hint, Path):
        if not isinstance(value, str):
            raise _wrong(place, "a path", value)
        return hint(value)
    if hint is float:
        # YAML takes 1e-4 (without a point) for text
        if isinstance(value, str):
            try:
                return float(value)
            except ValueError as error:
                raise _wrong(place, "a number", value) from error
        if isinstance(value, int | float) and not isinstance(value, bool):
            return float(value)
        raise _wrong(place, "a number", value)
    if hint is int and isinstance(value, bool):
        raise _wrong(place, "a whole number", value)
    if hint in (int, bool, str):
        if not isinstance(value, hint):
            raise _wrong(place, {int: "a whole number", bool: "true or false", str: "text"}[hint], value)
        return value
    raise TypeError(f"{place} has the type {hint}, which configurations do not support")


def _convert_sequence(origin: Any, arguments: tuple, value: Any, place: str) -> Any:
    if not isinstance(value, list | tuple):
        raise _wrong(place, "a list", value)
    if origin is tuple and not (len(arguments) == 2 and arguments[1] is Ellipsis):
        if len(value) != len(arguments):
            raise ConfigurationError(f"{place} has {len(arguments)} items, got {len(value)}: {value!r}")
        hints: Iterable[Any] = arguments
    else:
        hints = [arguments[0]] * len(value)
    items = [_convert(hint, item, f"{place}[{at}]") for at, (hint, item) in enumerate(zip(hints, value, strict=True))]
    return items if origin is list else tuple(items)


def _convert_union(options: tuple, value: Any, place: str) -> Any:
    if value is None and type(None) in options:
        return None
    named = {option.__name__: option for option in options if dataclasses.is_dataclass(option)}
    if len(named) > 1 and isinstance(value, dict):
        fields = dict(value)
        name = fields.pop("type", None)
        if name not in named:
            raise ConfigurationError(f"{place}.type must be one of {sorted(named)}, got {name!r}")
        return _build(named[name], fields, place)
    options = tuple(option for option in options if option is not type(None))
    if len(options) == 1:
        return _convert(options[0], value, place)
    # an exact type first, so that 1 stays a whole number in int | float
    for option in sorted(options, key=lambda option: type(value) is not option):
        try:
            return _convert(option, value, place)
        except ConfigurationError:
            continue
    raise _wrong(place, " or ".join(getattr(option, "__name__", str(option)) for option in options), value)


def _hints(kind: type) -> dict[str, Any]:
    """The types of the fields that the constructor takes, by name, in order."""
    hints = typing.get_type_hints(kind, include_extras=True)
    return {field.name: hints[field.name] for field in dataclasses.fields(kind) if field.init}


def _dataclasses_in(hint: Any) -> list[Any]:
    options = typing.get_args(hint) if typing.get_origin(hint) in (Union, types.UnionType) else ()
    return [option for option in options if dataclasses.is_dataclass(option)]


def _unknown_key(key: Any, known: Iterable[str], place: str) -> ConfigurationError:
    near = difflib.get_close_matches(str(key), list(known), n=1, cutoff=0.5)
    hint = f"; did you mean {_join(place, near[0])!r}?" if near else f" (known: {', '.join(known)})"
    return ConfigurationError(f"unknown key {_join(place, str(key))!r}{hint}")


def _wrong(place: str, expected: str, value: Any) -> ConfigurationError:
    return ConfigurationError(f"{place or 'the configuration'} must be {expected}, got {value!r}")


def _join(place: str, name: str) -> str:
    return f"{place}.{name}" if place else name
