from __future__ import annotations

import re
from pathlib import Path

import pytest

from feedback_platform.errors import InvalidInputError
from feedback_platform.ingestion.movielens import read_movielens
from feedback_platform_tests.ingestion.lines import events_of, of_type


def test_a_rating_becomes_an_event_with_its_stars(movielens_files: Path) -> None:
    events = of_type(events_of(read_movielens(movielens_files)), "item_rated")

    assert events[0] == {
        "event_id": "movielens-rating-1-31",
        "event_type": "item_rated",
        "user_id": "ml-1",
        "item_id": "ml-31",
        "occurred_at": "2009-12-14T02:52:24.000000Z",
        "value": 2.5,
        "properties": {},
    }


def test_tags_of_one_user_and_film_are_events_of_their_own(movielens_files: Path) -> None:
    events = of_type(events_of(read_movielens(movielens_files)), "item_used")

    assert [event["properties"] for event in events] == [
        {"tag": "dark, slow"},
        {"tag": "classic"},
        {"tag": "classic"},
    ]
    assert len({event["event_id"] for event in events}) == 3
    assert all("value" not in event for event in events)


def test_films_carry_title_categories_and_the_year_where_there_is_one(
    movielens_files: Path,
) -> None:
    events = of_type(events_of(read_movielens(movielens_files)), "item_updated")

    assert [event["properties"] for event in events] == [
        {"title": "Dangerous Minds (1995)", "categories": ["Drama"], "year": 1995},
        {
            "title": "Série, La (2006\u20132007)",
            "categories": ["Action", "Sci-Fi"],
            "year": 2006,
        },
        {"title": 'Black Mirror: the "special"', "categories": []},
    ]
    assert {event["occurred_at"] for event in events} == {"1995-01-01T00:00:00.000000Z"}
    assert all("user_id" not in event for event in events)


def test_reading_twice_gives_the_same_fingerprint_and_a_change_another(
    movielens_files: Path,
) -> None:
    first = read_movielens(movielens_files)
    again = read_movielens(movielens_files)
    _replace(movielens_files / "ratings.csv", "2.5", "3.0")
    changed = read_movielens(movielens_files)

    assert again.fingerprint == first.fingerprint
    assert changed.fingerprint != first.fingerprint


def test_the_whole_of_movielens_comes_out(shared_data: Path) -> None:
    imported = read_movielens(shared_data / "ml-latest-small")

    assert imported.counts == {"item_rated": 100_836, "item_used": 3_683, "item_updated": 9_742}
    events = events_of(imported)
    assert len({event["event_id"] for event in events}) == 114_261
    assert len({event["user_id"] for event in of_type(events, "item_rated")}) == 610
    toy_story = next(event for event in events if event["item_id"] == "ml-1")
    assert toy_story["properties"] == {
        "title": "Toy Story (1995)",
        "categories": ["Adventure", "Animation", "Children", "Comedy", "Fantasy"],
        "year": 1995,
    }


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("ratings.csv", "rating,", "stars,", r"line 1: there is no column 'rating'"),
        ("ratings.csv", "2.5", "good", r"line 2, column rating: the field is 'good'.*0.5 to 5"),
        ("ratings.csv", "5.0", "5.5", r"line 3, column rating: the field is '5.5'"),
        ("ratings.csv", "5.0", "NaN", r"line 3, column rating"),
        ("ratings.csv", "5.0", "0.0", r"line 3, column rating"),
        ("ratings.csv", ",835355493", "", r"line 3, column timestamp: the field is empty"),
        ("ratings.csv", "835355493", "-5", r"line 3, column timestamp: the field is '-5'"),
        ("ratings.csv", "835355493", "835355493000", r"column timestamp.*2100-01-01"),
        ("ratings.csv", "835355493", "1e400", r"line 3, column timestamp"),
        ("ratings.csv", "2,31,5.0", "1,31,5.0", r"line 3, column movieId.*only once"),
        ("ratings.csv", "2,31,5.0", "x,31,5.0", r"line 3, column userId: the field is 'x'"),
        ("ratings.csv", "5.0,", "5.0,extra,", r"line 3: the row has 5 fields"),
        ("ratings.csv", "5.0", '"5.0', r"line 3: the row is not CSV"),
        ("tags.csv", "classic,1445714995", ",1445714995", r"line 4, column tag: .*empty"),
        ("tags.csv", "2,31,classic,1445714995", "", r"line 4, column userId: .*empty"),
        ("tags.csv", "1445714995", "1445714994", r"line 4, column timestamp.*only once"),
        ("movies.csv", "32,", "31,", r"line 3, column movieId: .*only once"),
        ("movies.csv", ",Drama", ",", r"line 2, column genres: the field is empty"),
    ],
)
def test_a_malformed_table_is_named_by_file_line_and_column(
    movielens_files: Path, file: str, old: str, new: str, message: str
) -> None:
    _replace(movielens_files / file, old, new)

    with pytest.raises(InvalidInputError, match=message) as caught:
        read_movielens(movielens_files)
    assert str(movielens_files / file) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_line_is_counted_in_the_file_even_after_a_field_of_several_lines(
    movielens_files: Path,
) -> None:
    _replace(movielens_files / "tags.csv", "dark, slow", "dark,\nvery slow")
    _replace(movielens_files / "tags.csv", "1445714995", "never")

    with pytest.raises(InvalidInputError, match=r"line 5, column timestamp"):
        read_movielens(movielens_files)


@pytest.mark.parametrize("file", ["ratings.csv", "tags.csv", "movies.csv"])
def test_a_missing_or_empty_file_says_so(movielens_files: Path, file: str) -> None:
    path = movielens_files / file
    header = path.read_text().partition("\n")[0]

    path.write_text(header + "\n")
    with pytest.raises(InvalidInputError, match=re.escape(f"{path} has a header but no rows")):
        read_movielens(movielens_files)
    path.write_text("")
    with pytest.raises(InvalidInputError, match=re.escape(f"{path} is empty")):
        read_movielens(movielens_files)
    path.write_bytes(header.encode() + b"\n\xff\xfe\n")
    with pytest.raises(InvalidInputError, match=r"line 2: the text is not UTF-8"):
        read_movielens(movielens_files)
    path.unlink()
    with pytest.raises(InvalidInputError, match=r"cannot be read: No such file or directory"):
        read_movielens(movielens_files)


def test_windows_line_ends_and_a_byte_order_mark_are_read(movielens_files: Path) -> None:
    expected = read_movielens(movielens_files).fingerprint
    for file in movielens_files.iterdir():
        file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes().replace(b"\n", b"\r\n"))

    assert read_movielens(movielens_files).fingerprint == expected


def _replace(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
