from __future__ import annotations

import re
from xml.etree import ElementTree as ET

import numpy as np
import polars as pl

from feedback_platform.learning.segment_plot import MOST_CATEGORIES, profile_plot
from feedback_platform.learning.segments import segment_users
from feedback_platform_tests.learning.affinities import AFFINITIES, affinities_of

SVG = "{http://www.w3.org/2000/svg}"


def texts(svg: str) -> list[str]:
    return [element.text or "" for element in ET.fromstring(svg).iter(f"{SVG}text")]  # noqa: S314


def cells(svg: str) -> list[tuple[str, float]]:
    """Colour and strength of each cell, row by row."""
    rectangles = [*ET.fromstring(svg).iter(f"{SVG}rect")][1:]  # noqa: S314
    return [(cell.attrib["fill"], float(cell.attrib["fill-opacity"])) for cell in rectangles]


def test_each_segment_has_a_row_with_its_number_name_size_and_shares() -> None:
    # Twenty users give alerts 0.8 and ten 0.2 in the mean; everybody 0.6, which is 4 of 3, 1 of 3.
    users = {
        f"a{n:02}": [0.8 + n / 1000 - 0.0095, 0.2 - n / 1000 + 0.0095, 0, 0] for n in range(20)
    }
    users |= {
        f"b{n:02}": [0.2 + n / 1000 - 0.0045, 0.8 - n / 1000 + 0.0045, 0, 0] for n in range(10)
    }

    svg = profile_plot(segment_users(affinities_of(users), seed=1))

    assert texts(svg) == [
        "alerts", "imports",
        "0  Alerts", "20 users", "80%", "20%",
        "1  Imports", "10 users", "20%", "80%",
    ]  # fmt: skip
    more, less = cells(svg)[0][0], cells(svg)[1][0]
    assert [colour for colour, _ in cells(svg)] == [more, less, less, more]
    # A third of what everybody gives it is beyond a half, which has the full colour.
    first, second, third, fourth = (strength for _, strength in cells(svg))
    assert (second, third, fourth) == (0.8, 0.8, 0.8)
    assert first == round(0.8 * np.log(4 / 3) / np.log(2), 2)


def test_of_many_categories_those_that_tell_segments_apart_are_shown() -> None:
    crowd = pl.DataFrame({"category": [f"c{n:02}" for n in range(30)], "affinity": 0.01})
    more = AFFINITIES.select("user_id").unique().join(crowd, how="cross")
    mixed = pl.concat([AFFINITIES.with_columns(pl.col("affinity") * 0.7), more])

    shown = texts(profile_plot(segment_users(mixed, seed=1)))[:MOST_CATEGORIES]

    assert {"alerts", "imports", "reports"} <= set(shown)
    assert len([text for text in shown if re.fullmatch(r"c\d\d", text)]) > 0


def test_names_are_no_markup() -> None:
    named = AFFINITIES.with_columns(pl.col("category").replace("reports", "<b>R&D"))
    assert "<b>R&D" in texts(profile_plot(segment_users(named, seed=1)))
