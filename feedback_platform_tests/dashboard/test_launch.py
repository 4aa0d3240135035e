from __future__ import annotations

import pytest
from streamlit import config

from feedback_platform.dashboard import theme
from feedback_platform.dashboard.launch import SCRIPT, streamlit_options


def test_it_tells_nobody_anything_and_opens_no_browser() -> None:
    options = streamlit_options("127.0.0.1", 8501, (), is_local=True)

    assert options["browser.gatherUsageStats"] is False
    assert options["server.headless"] is True
    assert options["server.enableXsrfProtection"] is True
    assert options["client.showErrorDetails"] == "none"
    assert SCRIPT.exists()


def test_every_option_is_one_that_streamlit_knows() -> None:
    known = config.get_config_options()

    assert set(streamlit_options("127.0.0.1", 8501, (), is_local=True)) <= set(known)


@pytest.mark.parametrize(
    ("is_local", "public", "allowed"),
    [
        (True, (), ["localhost", "127.0.0.1", "::1"]),
        (True, ("figures.test",), ["localhost", "127.0.0.1", "::1", "figures.test"]),
        (False, ("figures.test",), ["localhost", "127.0.0.1", "::1", "figures.test"]),
        (False, (), []),
    ],
)
def test_names_that_lead_here_unasked_are_refused(
    *, is_local: bool, public: tuple[str, ...], allowed: list[str]
) -> None:
    assert streamlit_options("h", 1, public, is_local=is_local)["server.allowedHosts"] == allowed


def _luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    ]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def _contrast(one: str, other: str) -> float:
    dark, light = sorted((_luminance(one), _luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("look", [theme.LIGHT, theme.DARK], ids=["light", "dark"])
def test_colours_stand_out_from_their_background(look: theme.Look) -> None:
    shapes = [*look.series, look.good, look.bad, look.warning]
    assert min(_contrast(each, look.background) for each in shapes) >= 3
    for text in (look.ink, look.muted, look.good, look.bad, look.warning):
        for behind in (look.background, look.surface):
            assert _contrast(text, behind) >= 4.5, (text, behind)
    for cell in (look.cold, look.neutral, look.hot, look.faint):
        assert _contrast(look.ink, cell) >= 4.5, cell


def test_the_colours_are_those_of_streamlit_too() -> None:
    options = theme.streamlit_theme()

    assert options["theme.light.backgroundColor"] == theme.LIGHT.background
    assert options["theme.dark.primaryColor"] == theme.DARK.first
