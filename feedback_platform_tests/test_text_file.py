from __future__ import annotations

from pathlib import Path

import pytest

from feedback_platform.errors import InvalidInputError
from feedback_platform.text_file import read_text_file


def test_a_file_is_read_as_utf_8(tmp_path: Path) -> None:
    path = tmp_path / "rules.toml"
    path.write_bytes("name = 'ä'".encode())
    assert read_text_file(path, "The rules", "name a file") == "name = 'ä'"


@pytest.mark.parametrize("content", [None, b"\xff"])
def test_a_file_that_cannot_be_read_is_named_with_what_it_is_and_what_to_do(
    tmp_path: Path, content: bytes | None
) -> None:
    path = tmp_path / "rules.toml"
    if content is not None:
        path.write_bytes(content)
    reason = "No such file or directory" if content is None else "it is not UTF-8"
    with pytest.raises(InvalidInputError) as refused:
        read_text_file(path, "The rules", "RULES names a file")
    assert str(refused.value) == f"The rules {path} cannot be read ({reason}); RULES names a file."
