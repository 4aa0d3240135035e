from __future__ import annotations

import polars as pl
from hypothesis import example, given
from hypothesis import strategies as st

from feedback_platform.cleaning.times import FIRST_TIME, LAST_TIME, parsed_times

DIGIT = st.sampled_from("0123456789")
NEARLY_A_TIME = st.builds(
    "{}-{}-{}T{}:{}:{}{}Z".format,
    st.sampled_from(["2026", "0000", "0001", "9999", "10000", "026", " 2026", "+2026", "202x"]),
    st.sampled_from(["03", "3", "12", "13", "00"]),
    st.sampled_from(["01", "1", "28", "29", "31", "32", "00", " 1"]),
    st.sampled_from(["09", "9", "23", "24"]),
    st.sampled_from(["30", "5", "59", "60"]),
    st.sampled_from(["15", "59", "60", "61", "5"]),
    st.builds("{}{}".format, st.sampled_from([".", ",", ""]), st.text("0129 -\u0660", max_size=10)),
)


@given(st.lists(st.none() | NEARLY_A_TIME | st.just("2026-03-01T09:30:15.123Z"), max_size=5))
@example(["2026-03-01T09:30:15.123456Z"] * 2)
# A form with an offset takes what is white before it; that it does so for Z, too, is as it was.
@example(["2026-03-01T09:30:15 Z"])
def test_a_form_of_a_fixed_length_gives_what_the_general_one_gives(texts: list[str | None]) -> None:
    series = pl.Series("t", texts, pl.String)
    times = series.str.to_datetime("%Y-%m-%dT%H:%M:%S%.fZ", time_unit="us", strict=False)
    offsets = series.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f%#z", time_unit="us", strict=False)
    general = times.dt.replace_time_zone("UTC").zip_with(
        times.is_not_null(), offsets.dt.convert_time_zone("UTC")
    )
    usual = general.is_between(FIRST_TIME, LAST_TIME)

    assert (
        parsed_times(series).to_list() == general.set(~usual.fill_null(value=True), None).to_list()
    )
