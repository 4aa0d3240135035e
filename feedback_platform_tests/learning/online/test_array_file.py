from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from feedback_platform.errors import InvalidInputError
from feedback_platform.learning.online.array_file import ArrayFile, as_arrays, write_arrays

ARRAYS: dict[str, NDArray[Any]] = {
    "places": np.array([[0, 1], [2, -1]], dtype=np.int32),
    "none": np.empty((0, 3), dtype=np.float32),
    "weights": np.arange(5) / 7,
    **as_arrays("names", ["Ada", "", "żółw"]),
}
FACTS = {"model": "v1", "share": 0.1}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("lists") / "a.lists"
    write_arrays(path, FACTS, ARRAYS)
    return path


def test_what_was_written_is_what_is_mapped(written: Path) -> None:
    found = ArrayFile.open(written)
    assert found.facts == FACTS
    for name, array in ARRAYS.items():
        assert found.arrays[name].dtype == array.dtype
        assert found.arrays[name].tolist() == array.tolist()
        assert not found.arrays[name].flags.writeable or not array.size
    names = found.texts("names")
    assert names.all() == [names[0], names[1], names[2]] == ["Ada", "", "żółw"]


def test_equal_input_makes_equal_bytes(written: Path, tmp_path: Path) -> None:
    write_arrays(tmp_path / "b.lists", FACTS, ARRAYS)
    assert (tmp_path / "b.lists").read_bytes() == written.read_bytes()


@given(data=st.data())
def test_a_file_that_was_cut_short_is_refused(written: Path, data: st.DataObject) -> None:
    content = written.read_bytes()
    length = data.draw(st.integers(0, len(content) - 1))
    with pytest.raises(InvalidInputError, match=r"lists in a\.lists are damaged, cut short"):
        ArrayFile.of(memoryview(content[:length]), "a.lists")


@given(data=st.data())
def test_a_file_whose_header_has_changed_is_refused(written: Path, data: st.DataObject) -> None:
    content = bytearray(written.read_bytes())
    # Behind the header there is nothing but room for it, up to where the first array begins.
    end = 56 + int.from_bytes(content[16:24], "little")
    content[data.draw(st.integers(0, end - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(InvalidInputError, match="are damaged, cut short or of another release"):
        ArrayFile.of(memoryview(content), "a.lists")


def test_what_is_no_file_of_lists_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="cannot be read"):
        ArrayFile.open(tmp_path / "missing.lists")
    (tmp_path / "empty.lists").touch()
    with pytest.raises(InvalidInputError, match="cannot be read"):
        ArrayFile.open(tmp_path / "empty.lists")
    with pytest.raises(InvalidInputError, match="holds no float16"):
        write_arrays(tmp_path / "c.lists", {}, {"half": np.zeros(1, dtype=np.float16)})


def test_an_array_of_another_shape_or_content_than_expected_is_refused(written: Path) -> None:
    found = ArrayFile.open(written)
    assert found.indexes("places", (2, None), 3, least=-1).shape == (2, 2)
    with pytest.raises(InvalidInputError, match="has places that point outside 0 to 2"):
        found.indexes("places", (2, 2), 3)
    with pytest.raises(InvalidInputError, match=r"has no places of the shape \(3, None\)"):
        found.indexes("places", (3, None), 3)
    with pytest.raises(InvalidInputError, match="has no weights of the shape"):
        found.array("weights", np.float32, (5,))
    with pytest.raises(InvalidInputError, match="has no names_offsets of the shape"):
        found.texts("names", 2)
    with pytest.raises(InvalidInputError, match="has names_offsets that do not fit"):
        found.starts("names_offsets", 3, 5)
