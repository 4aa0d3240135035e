from __future__ import annotations

from pathlib import Path

import pytest

from feedback_platform.orchestration.resources import PlatformResource
from feedback_platform.settings import load_settings


@pytest.mark.parametrize(
    ("name", "value", "attribute"),
    [
        ("FEEDBACK_ENGINE", "spark", "engine"),
        ("FEEDBACK_WAREHOUSE", "spark", "warehouse"),
        ("FEEDBACK_SEGMENTATION", "ward", "segmentation"),
        ("FEEDBACK_EXPLORATION_SHARE", "0.04", "exploration_share"),
    ],
)
def test_what_a_person_chose_reaches_the_runs(
    tmp_path: Path, name: str, value: str, attribute: str
) -> None:
    settings = load_settings(tmp_path, {name: value})

    arrived = PlatformResource.from_settings(settings).settings

    assert str(getattr(arrived, attribute)) == value
