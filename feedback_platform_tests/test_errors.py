"""What errors of others say, where they say nothing themselves."""

from __future__ import annotations

import pytest

from feedback_platform.errors import text_of


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ValueError("on two\n   lines"), "on two lines"),
        (MemoryError(), "MemoryError, without a text."),
        (TimeoutError("  "), "TimeoutError, without a text."),
    ],
)
def test_an_error_always_says_something(error: Exception, text: str) -> None:
    assert text_of(error) == text
