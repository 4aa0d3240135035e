"""How long a sender is waited for: 15 seconds for the head, as long as it takes for a body."""

from __future__ import annotations

import pytest

from feedback_platform.serving.patience import Patience


@pytest.fixture
def patience() -> Patience:
    """Waits for 15 seconds, and for a kilobyte a second."""
    return Patience(15, 1000)


def test_nobody_is_waited_for_at_first(patience: Patience) -> None:
    assert not patience.is_waiting
    assert patience.rest(1e9) == 15


def test_without_content_it_ends_after_its_seconds(patience: Patience) -> None:
    patience.begin(100)
    assert patience.is_waiting
    assert patience.rest(100) == 15
    assert patience.rest(114) == 1
    assert patience.rest(116) == -1


def test_content_at_the_rate_is_waited_for_as_long_as_it_comes(patience: Patience) -> None:
    patience.begin(100)
    for second in range(101, 401):
        patience.note(second, 1000)
        assert patience.rest(second) == 15


def test_a_pause_is_no_longer_for_what_came_before_it(patience: Patience) -> None:
    patience.begin(100)
    patience.note(101, 400_000)
    assert patience.rest(101) == 15
    assert patience.rest(117) == -1


def test_content_below_the_rate_uses_it_up(patience: Patience) -> None:
    patience.begin(100)
    for second in range(101, 131):
        patience.note(second, 500)
    # 15 KB in 30 seconds: what they are worth, and the seconds that everybody has.
    assert patience.rest(130) == 0


def test_the_body_has_its_own_seconds_after_the_head(patience: Patience) -> None:
    patience.begin(100)
    patience.begin(114)
    assert patience.rest(114) == 15


def test_it_ends_with_the_request(patience: Patience) -> None:
    patience.begin(100)
    patience.end()
    assert not patience.is_waiting
    assert patience.rest(1000) == 15
