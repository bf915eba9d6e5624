"""Text files in every shape people write them."""

import numpy as np
import pytest

from trackdata.parsing import TextFile, parse_boxes, parse_column, parse_numbers, valid_boxes
from trackdata.sequences import AnnotationError

EXPECTED = [[1, 2, 3, 4], [5.5, -6, 7, 8]]


TABLES = {
    "plain": "1,2,3,4\n5.5,-6,7,8\n",
    "no final newline": "1,2,3,4\n5.5,-6,7,8",
    "tabs and CRLF": "1\t2\t3\t4\r\n5.5\t-6\t7\t8\r\n",
    "blank lines": "1 2 3 4\n\n5.5  -6 7 8\n\n\n",
    "comma and blank": "1, 2, 3, 4\n5.5, -6, 7, 8\n",
    "mixed": " 1,2\t3 4 \n5.5;-6;7;8\n",
    "trailing comma": "1,2,3,4,\n5.5,-6,7,8,\n",
    "byte order mark": "\ufeff1,2,3,4\n5.5,-6,7,8\n",
    "carriage returns": "1,2,3,4\r5.5,-6,7,8\r",
    "exponents": "1e0,2.0,3,4\n5.5e+0,-6,7,8\n",
}


@pytest.mark.parametrize("shape", TABLES)
def test_separators_and_line_ends(tmp_path, shape):
    path = tmp_path / "groundtruth.txt"
    path.write_bytes(TABLES[shape].encode())
    boxes = parse_boxes(TextFile.read(path))
    assert boxes.dtype == np.float64
    assert boxes.tolist() == EXPECTED


def test_nan_and_infinity_are_numbers():
    numbers = parse_numbers(TextFile("nan,NaN,NAN,inf\n1,2,3,4\n", "x"))
    assert np.isnan(numbers[0, :3]).all()
    assert valid_boxes(numbers).tolist() == [False, True]


def test_polygons_become_their_bounds(tmp_path):
    path = tmp_path / "groundtruth.txt"
    path.write_text("10,50,40,20,70,50,40,80\n")
    assert parse_boxes(TextFile.read(path)).tolist() == [[10, 20, 60, 60]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1,2,3,4\n1,2,x,4\n", "line 2: 'x' is not a number"),
        ("1,2,3,4\n\n1,2,3\n", "line 3: 3 numbers where the lines before have 4"),
        ("1,2,3\n1,2,3,4,5\n", "line 2: 5 numbers"),
        ("1,2,3\n", "4 numbers"),
        ("", "holds no boxes"),
        ("\n \n", "holds no boxes"),
    ],
)
def test_malformed_boxes_name_file_and_line(tmp_path, text, message):
    path = tmp_path / "groundtruth.txt"
    path.write_text(text)
    with pytest.raises(AnnotationError, match=f"{path}.*{message}"):
        parse_boxes(TextFile.read(path))


def test_missing_binary_and_unreadable_files(tmp_path):
    with pytest.raises(AnnotationError, match=r"gone\.txt: there is no such file"):
        parse_boxes(TextFile.read(tmp_path / "gone.txt"))
    (tmp_path / "image.txt").write_bytes(b"\x89PNG\xff\xfe")
    with pytest.raises(AnnotationError, match="not a text file"):
        TextFile.read(tmp_path / "image.txt")
    with pytest.raises(AnnotationError, match="cannot be read"):
        TextFile.read(tmp_path)


def test_columns_stand_or_lie(tmp_path):
    path = tmp_path / "absence.label"
    for text in ("0\n1\n1", "0,1,1", "0 1 1\r\n"):
        path.write_text(text)
        assert parse_column(TextFile.read(path), 3).tolist() == [0, 1, 1]
    with pytest.raises(AnnotationError, match="3 numbers for 4 frames"):
        parse_column(TextFile.read(path), 4)
    path.write_text("")
    with pytest.raises(AnnotationError, match="0 numbers for 2 frames"):
        parse_column(TextFile.read(path), 2)
    path.write_text("1,2\n3,4\n")
    with pytest.raises(AnnotationError, match="one number per frame"):
        parse_column(TextFile.read(path), 4)


def test_lists_ignore_blanks_and_line_ends(tmp_path):
    (tmp_path / "list.txt").write_bytes(b"a\r\n b \r\n\r\n\n")
    assert TextFile.read(tmp_path / "list.txt").lines == ["a", "b"]
