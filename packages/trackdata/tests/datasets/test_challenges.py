"""Tables of attributes that a user brings, and what a file of attributes may hold."""

import json
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trackdata.datasets.challenges import full_names, parse_challenges, read_challenges, with_challenges
from trackdata.frames import NumberedFrames
from trackdata.parsing import TextFile
from trackdata.sequences import AnnotationError, Sequence, SequenceList
from trackdata.storage import FolderStore

NAMES = {"FM": "Fast Motion", "OCC": "Occlusion", "OV": "Out-of-View"}


def read_nothing(name):
    boxes = np.ones((1, 4))
    frames = NumberedFrames(FolderStore("/nowhere"), name, 1)
    return Sequence(name, frames, boxes, boxes[:, 0] > 0, attributes={"challenges": ("old",), "language": "it"})


@pytest.fixture
def dataset():
    return SequenceList("mine", ["a", "b", "c"], read_nothing)


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("t.csv", "a,Fast Motion,Occlusion\nb\n"),
        ("t.csv", "sequence,Fast Motion,Occlusion\na,1,1\nb,0,0\n"),
        ("t.CSV", "Sequence, Fast Motion, Occlusion\r\n\r\na, 1, 2\r\nb, 0, 0"),
        ("t.json", '{"a": ["Fast Motion", "Occlusion"], "b": []}'),
    ],
)
def test_tables(tmp_path, file, text):
    (tmp_path / file).write_text(text)
    assert read_challenges(tmp_path / file) == {"a": ("Fast Motion", "Occlusion"), "b": ()}


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("t.csv", "sequence,FM,OCC\na,1\n", "expected 2 numbers for 'a', got 1"),
        ("t.csv", "sequence,FM,OCC\na,1,yes\n", "expected 2 numbers for 'a', got 1, yes"),
        ("t.json", "[1, 2]", "expected an object of sequences, got list"),
        ("t.json", '{"a": "FM"}', "expected a list of names for 'a', got 'FM'"),
        ("t.json", "{", "not JSON"),
        ("t.txt", "a,FM", "is a .json or .csv file"),
    ],
)
def test_tables_that_are_none(tmp_path, file, text, message):
    (tmp_path / file).write_text(text)
    with pytest.raises(AnnotationError, match=message):
        read_challenges(tmp_path / file)


def test_a_table_replaces_what_the_dataset_knows(dataset):
    changed = with_challenges(dataset, {"a": ["fm", "Out of view"], "c": [], "elsewhere": ["FM"]}, NAMES)
    changed = pickle.loads(pickle.dumps(changed))
    assert (changed.name, changed.sequence_names) == ("mine", ("a", "b", "c"))
    assert [sequence.attributes["challenges"] for sequence in changed] == [("Fast Motion", "Out-of-View"), ("old",), ()]
    assert changed[0].attributes["language"] == "it"
    assert with_challenges(dataset, {"a": ["anything"]})[0].attributes["challenges"] == ("anything",)
    with pytest.raises(AnnotationError, match="attributes of a: 'XX' is none of the attributes FM"):
        with_challenges(dataset, {"a": ["XX"]}, NAMES)
    with pytest.raises(AnnotationError, match="names none of the sequences of mine: its first is 'A'"):
        with_challenges(dataset, {"A": ["FM"]}, NAMES)


def test_names_come_in_the_order_of_the_benchmark():
    assert full_names(["out of view", "FAST-MOTION", "fm"], NAMES, "x") == ("Fast Motion", "Out-of-View")


@given(st.text(alphabet="01,; \t\r\n.FMOCV-", max_size=40))
def test_any_text_gives_names_or_an_error(text):
    message, held = "file: ", ()
    try:
        held = parse_challenges(TextFile(text, "file"), NAMES)
    except AnnotationError as error:
        message = str(error)
    assert message.startswith("file: ")
    assert set(held) <= set(NAMES.values())


@given(st.dictionaries(st.text(), st.lists(st.text())))
def test_json_tables_come_back(tmp_path_factory, table):
    path = tmp_path_factory.getbasetemp() / "table.json"
    path.write_text(json.dumps(table))
    assert read_challenges(path) == {name: tuple(names) for name, names in table.items()}
