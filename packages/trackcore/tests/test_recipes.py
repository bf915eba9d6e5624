import enum
import subprocess
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import pytest

from trackcore import recipes
from trackcore.recipes import ConfigurationError, UnknownRecipeError, from_yaml, get_recipe, override, to_yaml


class Colour(enum.Enum):
    RED = 1
    BLUE = 2


@dataclass(frozen=True)
class Folder:
    root: Path
    splits: tuple[str, ...] = ("train", "val")


@dataclass(frozen=True)
class Synthetic:
    seed: int = 0
    size: tuple[int, int] = (320, 240)


@dataclass(frozen=True)
class Loop:
    epochs: int = 3
    rate: float = 1e-4
    clip: float | None = None

    def __post_init__(self):
        if self.epochs < 1:
            raise ValueError(f"epochs must be at least 1, got {self.epochs}")


@dataclass(frozen=True)
class Training:
    name: str
    loop: Loop = Loop()
    data: Folder | Synthetic = Synthetic()
    extra: Synthetic | None = None
    optimizer: Literal["adamw", "sgd"] = "adamw"
    milestones: list[int] = field(default_factory=list)
    weights: dict[str, float] = field(default_factory=dict)
    colour: Colour = Colour.RED
    number: int | float = 1
    debug: bool = False
    note: Any = None


FULL = Training(
    name="full",
    loop=Loop(epochs=300, rate=2.5e-5, clip=0.1),
    data=Folder(Path("a/b"), ("train",)),
    extra=Synthetic(seed=3, size=(64, 48)),
    optimizer="sgd",
    milestones=[3, 7],
    weights={"giou": 2.0},
    colour=Colour.BLUE,
    number=2.5,
    debug=True,
    note="with: colons\nand lines",
)


@pytest.mark.parametrize("config", [Training("default"), FULL, replace(FULL, number=2, extra=None)])
def test_yaml_round_trip(config):
    again = from_yaml(Training, to_yaml(config))
    assert again == config
    assert type(again.number) is type(config.number)


def test_yaml_keeps_the_order_of_the_fields():
    assert list(recipes.yaml.safe_load(to_yaml(FULL)))[:3] == ["name", "loop", "data"]


def test_numbers_as_people_write_them():
    # YAML 1.1 reads 1e-4 as text
    assert from_yaml(Loop, "rate: 1e-4\nclip: 1").rate == 1e-4
    assert type(from_yaml(Loop, "clip: 1").clip) is float


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: x\nlopp: {}", "unknown key 'lopp'; did you mean 'loop'"),
        ("name: x\nloop: {epoch: 3}", r"unknown key 'loop\.epoch'; did you mean 'loop\.epochs'"),
        ("name: x\nloop: {zzz: 3}", r"unknown key 'loop\.zzz' \(known: epochs, rate, clip\)"),
        ("name: x\nloop: {epochs: 3.5}", r"loop\.epochs must be a whole number, got 3\.5"),
        ("name: x\nloop: {epochs: true}", r"loop\.epochs must be a whole number, got True"),
        ("name: x\nloop: {epochs: 0}", "loop: epochs must be at least 1, got 0"),
        ("name: x\nloop: {rate: fast}", r"loop\.rate must be a number, got 'fast'"),
        ("name: x\nloop: 3", "loop must be the fields of Loop, got 3"),
        ("name: 3", "name must be text, got 3"),
        ("loop: {}", "Training lacks name"),
        ("name: x\noptimizer: adam", r"optimizer must be one of \['adamw', 'sgd'\], got 'adam'; did you mean 'adamw'"),
        ("name: x\nmilestones: [1, x]", r"milestones\[1\] must be a whole number"),
        ("name: x\nmilestones: 1", "milestones must be a list"),
        ("name: x\nweights: [1]", "weights must be a mapping"),
        ("name: x\ndata: {seed: 1}", r"data\.type must be one of \['Folder', 'Synthetic'\], got None"),
        ("name: x\ndata: {type: Folder}", r"Folder lacks data\.root"),
        ("name: x\nextra: {size: [1]}", r"extra\.size has 2 items, got 1"),
        ("name: x\ncolour: GREEN", r"colour must be one of \['RED', 'BLUE'\]"),
        ("name: x\nnumber: many", "number must be int or float"),
        ("name: x\ndebug: 1", "debug must be true or false"),
        ("[1, 2]", "the configuration must be the fields of Training"),
        ("name: [", "not valid YAML"),
        ("", "Training lacks name"),
    ],
)
def test_mistakes_are_named_with_their_place(text, message):
    with pytest.raises(ConfigurationError, match=message):
        from_yaml(Training, text)


def test_override():
    changed = override(FULL, "loop.epochs", 8)
    assert changed == replace(FULL, loop=replace(FULL.loop, epochs=8))
    assert override(FULL, "data", Synthetic(seed=9)).data == Synthetic(seed=9)
    assert override(FULL, "extra.size", (1, 2)).extra.size == (1, 2)
    for place, value, message in [
        ("loop.epoch", 3, r"did you mean 'loop\.epochs'"),
        ("loop.epochs", "many", r"loop\.epochs must be a whole number"),
        ("loop.epochs", 0, "at least 1"),
        ("name.first", "x", "name is a plain value"),
    ]:
        with pytest.raises(ConfigurationError, match=message):
            override(FULL, place, value)


def test_flags():
    changed = recipes.apply_flags(FULL, ["--loop.epochs", "8", "--no-debug", "--loop.clip", "None"])
    assert (changed.loop.epochs, changed.debug, changed.loop.clip) == (8, False, None)
    assert recipes.apply_flags(FULL, []) == FULL


def test_unknown_flags_end_the_program(capsys):
    with pytest.raises(SystemExit):
        recipes.apply_flags(FULL, ["--loop.epoch", "8"])
    assert "--loop.epochs" in capsys.readouterr().err


class TestRegistry:
    @pytest.fixture(autouse=True)
    def registry(self, monkeypatch):
        monkeypatch.setattr(recipes, "_recipes", {})
        for family, name in [("a", "vitb_256_ep300"), ("b", "vitb_256_ep300"), ("a", "tiny")]:
            recipes.recipe(name, family=family)(lambda family=family, name=name: Training(f"{family} {name}"))

    def test_names_are_sorted(self):
        assert recipes.recipe_names() == ["a/tiny", "a/vitb_256_ep300", "b/vitb_256_ep300"]
        assert recipes.recipe_names("a") == ["tiny", "vitb_256_ep300"]

    def test_short_and_full_names(self):
        assert get_recipe("tiny").name == "a tiny"
        assert get_recipe("b/vitb_256_ep300").name == "b vitb_256_ep300"
        assert get_recipe("vitb_256_ep300", family="a").name == "a vitb_256_ep300"

    def test_names_of_several_families(self):
        with pytest.raises(UnknownRecipeError, match="say a/vitb_256_ep300 or b/vitb_256_ep300"):
            get_recipe("vitb_256_ep300")

    @pytest.mark.parametrize("name", ["vitb_256_ep30", "a/vitb_256_ep30"])
    def test_the_nearest_name_is_given(self, name):
        with pytest.raises(UnknownRecipeError, match=r"did you mean 'vitb_256_ep300'.*known: a/tiny, a/vitb_256_ep300"):
            get_recipe(name)

    def test_unknown_family(self):
        with pytest.raises(UnknownRecipeError, match="in family 'c'"):
            get_recipe("tiny", family="c")

    def test_a_name_is_taken_once(self):
        with pytest.raises(ValueError, match="has a recipe 'tiny' already"):
            recipes.recipe("tiny", family="a")(lambda: None)


def test_configuration_needs_no_torch():
    code = "import sys, trackcore.recipes, trackcore.training.config; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
