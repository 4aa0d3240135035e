from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from feedback_platform.errors import InvalidInputError
from feedback_platform.ingestion.open_bandit import read_open_bandit
from feedback_platform_tests.ingestion.lines import events_of, of_type

HEADER = (
    ",timestamp,item_id,position,click,propensity_score,"
    "user_feature_0,user_feature_1,user_feature_2,user_feature_3,"
    "user-item_affinity_0,user-item_affinity_1\n"
)
CLICKED = "0,2019-11-24 00:01:03.979311+00:00,1,2,1,0.25,aa,bb,cc,dd,0.0,3.0\n"
SHOWN = "1,2019-11-24 00:02:00.000001+00:00,0,3,0,0.5,aa,bb,cc,dd,0.0,0.0\n"
ITEMS = (
    ",item_id,item_feature_0,item_feature_1,item_feature_2,item_feature_3\n"
    "0,0,-0.5,c82d13885d8b,088abf8a8657,8ea65bc866b3\n"
    "1,1,1.25,77490d05a721,088abf8a8657,8ea65bc866b3\n"
)


@pytest.fixture
def open_bandit_files(tmp_path: Path) -> Path:
    """Two impressions by bts, one clicked, and one by random."""
    path = tmp_path / "open-bandit"
    for policy, rows in (("bts", CLICKED + SHOWN), ("random", SHOWN)):
        (path / policy).mkdir(parents=True)
        (path / policy / "men.csv").write_text(HEADER + rows)
        (path / policy / "item_context.csv").write_text(ITEMS.replace("8ea65", policy))
    return path


def test_a_clicked_row_is_an_impression_and_a_click_of_the_same_instant(
    open_bandit_files: Path,
) -> None:
    events = events_of(read_open_bandit(open_bandit_files))
    impression = of_type(events, "item_impression")[0]
    (click,) = of_type(events, "item_clicked")

    user = impression["anonymous_id"].removeprefix("ob-user-")
    shown = f"open-bandit-men-bts-1574553663979311-1-2-{user}"
    assert impression == {
        "event_id": f"{shown}-impression",
        "event_type": "item_impression",
        "anonymous_id": f"ob-user-{user}",
        "item_id": "ob-men-1",
        "occurred_at": "2019-11-24T00:01:03.979311Z",
        "position": 2,
        "propensity": 0.25,
        "placement": "men/bts",
        "experiment_id": "open-bandit/men",
        "variant": "bts",
        "recommendation_id": shown,
        "properties": {
            "user_feature_0": "aa",
            "user_feature_1": "bb",
            "user_feature_2": "cc",
            "user_feature_3": "dd",
            "affinities": {"ob-men-1": 3.0},
        },
    }
    assert click == {
        **impression,
        "event_id": f"{shown}-clicked",
        "event_type": "item_clicked",
    }


def test_users_with_the_same_features_are_one_pseudo_user(open_bandit_files: Path) -> None:
    _append(open_bandit_files / "bts/men.csv", SHOWN.replace("dd", "ee"))

    events = of_type(events_of(read_open_bandit(open_bandit_files)), "item_impression")

    users = [event["anonymous_id"] for event in events]
    assert users[0] == users[1] == users[3]
    assert users[2] != users[0]


def test_rows_that_say_the_same_are_still_two_impressions(open_bandit_files: Path) -> None:
    _append(open_bandit_files / "bts/men.csv", SHOWN)

    events = of_type(events_of(read_open_bandit(open_bandit_files)), "item_impression")

    assert len({event["event_id"] for event in events}) == 4
    assert len({event["recommendation_id"] for event in events}) == 4


def test_items_come_once_with_the_first_policys_features(open_bandit_files: Path) -> None:
    events = of_type(events_of(read_open_bandit(open_bandit_files)), "item_updated")

    assert [event["item_id"] for event in events] == ["ob-men-0", "ob-men-1"]
    assert events[0]["properties"] == {
        "categories": ["feature-1:c82d1388", "feature-2:088abf8a", "feature-3:btsbc866"],
        "item_feature_0": -0.5,
    }
    assert all(not {"user_id", "anonymous_id"} & set(event) for event in events)


def test_a_compressed_log_and_the_authors_own_layout_read_the_same(
    open_bandit_files: Path,
) -> None:
    expected = read_open_bandit(open_bandit_files).fingerprint
    for policy in ("bts", "random"):
        old = open_bandit_files / policy
        new = old / "men"
        new.mkdir()
        (old / "item_context.csv").rename(new / "item_context.csv")
        (new / "men.csv.gz").write_bytes(gzip.compress((old / "men.csv").read_bytes()))
        (old / "men.csv").unlink()

    assert read_open_bandit(open_bandit_files).fingerprint == expected


def test_the_whole_of_open_bandit_comes_out(shared_data: Path) -> None:
    imported = read_open_bandit(shared_data / "open-bandit-small")

    assert imported.counts == {
        "item_impression": 20_000,
        "item_clicked": 46 + 69,
        "item_updated": 34,
    }
    events = events_of(imported)
    assert len({event["event_id"] for event in events}) == 20_149
    clicks = [event["variant"] for event in of_type(events, "item_clicked")]
    assert (clicks.count("random"), clicks.count("bts")) == (46, 69)
    affinities = [
        affinity
        for event in of_type(events, "item_impression")
        for affinity in event["properties"]["affinities"].values()
    ]
    # Counted and summed in the files by hand: 499 + 579 that are not 0, 530 + 642 in sum.
    assert (len(affinities), sum(affinities)) == (1_078, 1_172.0)


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("bts/men.csv", "propensity_score", "pscore", r"no column 'propensity_score'"),
        ("bts/men.csv", "0.25", "1.25", r"line 2, column propensity_score.*'1.25'"),
        ("bts/men.csv", "0.5,", "0,", r"line 3, column propensity_score.*above 0"),
        ("bts/men.csv", ",2,1,0.25", ",0,1,0.25", r"line 2, column position: .*'0'"),
        ("bts/men.csv", ",1,0.25", ",2,0.25", r"line 2, column click: the field is '2'"),
        ("bts/men.csv", "2019-11-24 00:02", "1970-01-01 00:02", r"line 3, column timestamp"),
        ("bts/men.csv", "2019-11-24 00:02", "9999-01-01 00:02", r"line 3, column timestamp"),
        ("bts/men.csv", "2019-11-24 00:02:00.000001+00:00", "now", r"timestamp: .*'now'"),
        ("bts/men.csv", "3.0", "inf", r"line 2, column user-item_affinity_1: .*'inf'"),
        ("bts/men.csv", "aa", "", r"line 2, column user_feature_0: the field is empty"),
        ("bts/item_context.csv", "1.25", "big", r"line 3, column item_feature_0: .*'big'"),
        ("bts/item_context.csv", "1,1,", "1,0,", r"line 3, column item_id: .*only once"),
    ],
)
def test_a_malformed_table_is_named_by_file_line_and_column(
    open_bandit_files: Path, file: str, old: str, new: str, message: str
) -> None:
    path = open_bandit_files / file
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new, 1))

    with pytest.raises(InvalidInputError, match=message) as caught:
        read_open_bandit(open_bandit_files)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("damage", [b"not gzip at all", b"cut"])
def test_a_damaged_archive_says_so(open_bandit_files: Path, damage: bytes) -> None:
    whole = gzip.compress((HEADER + CLICKED).encode())
    (open_bandit_files / "bts/men.csv").unlink()
    content = whole[:-12] if damage == b"cut" else damage
    (open_bandit_files / "bts/men.csv.gz").write_bytes(content)

    with pytest.raises(InvalidInputError, match=r"men\.csv\.gz is not a whole \.gz file"):
        read_open_bandit(open_bandit_files)


def test_a_directory_without_logs_says_what_it_should_have(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match=r"has no logs.*bts/<campaign>\.csv"):
        read_open_bandit(tmp_path)


def test_a_log_with_a_twin_is_refused(open_bandit_files: Path) -> None:
    (open_bandit_files / "bts/men.csv.gz").write_bytes(gzip.compress(HEADER.encode()))

    with pytest.raises(InvalidInputError, match="are the same log twice"):
        read_open_bandit(open_bandit_files)


def test_one_item_context_cannot_describe_two_campaigns(open_bandit_files: Path) -> None:
    (open_bandit_files / "bts/women.csv").write_text(HEADER + SHOWN)

    with pytest.raises(InvalidInputError, match=r"Give each .* bts/women/women\.csv"):
        read_open_bandit(open_bandit_files)


def _append(path: Path, rows: str) -> None:
    path.write_text(path.read_text() + rows)
