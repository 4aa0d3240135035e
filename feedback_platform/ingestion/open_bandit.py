"""The Open Bandit Dataset (https://arxiv.org/abs/2008.07146): impressions with known propensities.

ZOZOTOWN showed fashion items by two policies, `random` and `bts` (Bernoulli Thompson sampling), and
logged with which probability each item was chosen: what off-policy evaluation needs.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import polars as pl

from feedback_platform.errors import InvalidInputError
from feedback_platform.events import columns as c
from feedback_platform.ingestion.imported import (
    ImportedEvents,
    hashed,
    imported_events,
    json_lines,
)
from feedback_platform.ingestion.tables import Table, read_table

# The items carry no time of their own. They are stated as known from here on, before the first
# impression (24 November 2019); nothing earlier is accepted.
CATALOGUE_AT: Final = datetime(2019, 11, 1, tzinfo=UTC)

_POLICIES: Final = ("bts", "random")
_USER_FEATURES: Final = tuple(f"user_feature_{number}" for number in range(4))
_ITEM_FEATURES: Final = tuple(f"item_feature_{number}" for number in range(4))
_LOGGED: Final = ("timestamp", "item_id", "position", "click", "propensity_score", *_USER_FEATURES)
_AFFINITY: Final = "user-item_affinity_"
# Enough of a hash to read; 34 to 80 items have a few dozen values.
_SHOWN_DIGITS: Final = 8


@dataclass(frozen=True)
class _Log:
    policy: str
    campaign: str
    path: Path


def read_open_bandit(path: Path) -> ImportedEvents:
    """Read an Open Bandit directory: `<policy>/<campaign>.csv[.gz]` and `item_context.csv`.

    The authors' own layout, `<policy>/<campaign>/<campaign>.csv`, is read as well.

    Each row becomes an `item_impression` and, where it was clicked, an `item_clicked` of the same
    instant. The data set names no users, only their features, which are hashes: `anonymous_id` is
    a pseudo-user, a hash of the four user features, so everybody with the same features is one.
    The user's features and the affinities that are not 0 are kept in the properties.

    Items become `item_updated`. Each policy's file hashes the same item features differently; the
    first policy's, in alphabetical order, is used for both.

    Raises:
        InvalidInputError: a file is missing or malformed.
    """
    logs = _logs(path)
    described: set[str] = set()
    frames: list[pl.DataFrame] = []
    for log in logs:
        if log.campaign not in described:
            described.add(log.campaign)
            context = log.path.parent / "item_context.csv"
            frames.append(_items(read_table(context, ("item_id", *_ITEM_FEATURES)), log.campaign))
    for log in logs:
        frames.extend(_impressions(read_table(log.path, _LOGGED), log))
    return imported_events("open-bandit", frames)


def _logs(path: Path) -> list[_Log]:
    """Return the logs, by policy and campaign."""
    logs: dict[tuple[str, str], _Log] = {}
    folders: dict[Path, str] = {}
    for policy in _POLICIES:
        for file in sorted((path / policy).glob("**/*.csv*")):
            campaign = file.name.removesuffix(".gz").removesuffix(".csv")
            if campaign == "item_context" or not file.name.endswith((".csv", ".csv.gz")):
                continue
            log = _Log(policy, campaign, file)
            twin = logs.setdefault((policy, campaign), log)
            if twin is not log:
                raise InvalidInputError(
                    f"{twin.path} and {file} are the same log twice. Remove one of them."
                )
            neighbour = folders.setdefault(file.parent, campaign)
            if neighbour != campaign:
                raise InvalidInputError(
                    f"{file.parent} has logs of {neighbour!r} and {campaign!r} beside one "
                    "item_context.csv, which can describe the items of one campaign only. "
                    f"Give each a directory of its own: {policy}/{campaign}/{campaign}.csv."
                )
    if not logs:
        raise InvalidInputError(
            f"{path} has no logs; the Open Bandit Dataset has bts/<campaign>.csv and "
            "random/<campaign>.csv (or .csv.gz). Check the path."
        )
    return list(logs.values())


def _items(table: Table, campaign: str) -> pl.DataFrame:
    table.require_unique("item_id")
    item = table.integers("item_id")
    number, *hashes = _ITEM_FEATURES
    features = pl.select(
        table.numbers(number, minimum=-1e9, maximum=1e9).alias(number),
        pl.concat_list(
            pl.concat_str(pl.lit(f"feature-{position}:"), table.texts(name).str.head(_SHOWN_DIGITS))
            for position, name in enumerate(hashes, start=1)
        ).alias("categories"),
    )
    properties = features.select(pl.struct("categories", number).struct.json_encode()).to_series()
    events = pl.select(
        pl.concat_str(
            pl.lit(f"open-bandit-item-{campaign}"),
            item.cast(pl.String),
            hashed(properties),
            separator="-",
        ).alias(c.EVENT_ID),
        pl.lit("item_updated").alias(c.EVENT_TYPE),
        _item_id(item, campaign).alias(c.ITEM_ID),
        pl.lit(CATALOGUE_AT, dtype=pl.Datetime("us", "UTC")).alias(c.OCCURRED_AT),
    )
    return json_lines(events, pl.lit(properties))


def _impressions(table: Table, log: _Log) -> list[pl.DataFrame]:
    """Return the impressions of a log, and its clicks."""
    for feature in _USER_FEATURES:
        table.texts(feature)
    is_clicked = table.integers("click", maximum=1) == 1
    propensity = table.numbers("propensity_score", minimum=0, maximum=1)
    table.require(propensity > 0, "propensity_score", "above 0, since the item was shown")
    users = table.frame.select(pl.concat_str(_USER_FEATURES, separator="|")).to_series()
    item = table.integers("item_id")
    shown = pl.select(
        pl.concat_str(pl.lit("ob-user-"), hashed(users)).alias(c.ANONYMOUS_ID),
        _item_id(item, log.campaign).alias(c.ITEM_ID),
        table.timestamps("timestamp", earliest=CATALOGUE_AT).alias(c.OCCURRED_AT),
        table.integers("position", minimum=1).alias(c.POSITION),
        propensity.alias(c.PROPENSITY),
        pl.lit(f"{log.campaign}/{log.policy}").alias(c.PLACEMENT),
        pl.lit(f"open-bandit/{log.campaign}").alias(c.EXPERIMENT_ID),
        pl.lit(log.policy).alias(c.VARIANT),
    ).with_columns(_recommendation_id(item, log).alias(c.RECOMMENDATION_ID))
    properties = _properties(table, log.campaign)
    return [
        _typed(shown, properties, "item_impression"),
        _typed(shown.filter(is_clicked), properties.filter(is_clicked), "item_clicked"),
    ]


def _recommendation_id(item: pl.Series, log: _Log) -> pl.Expr:
    """Name an impression by its content; rows that say exactly the same are numbered."""
    said = pl.concat_str(
        pl.lit(f"open-bandit-{log.campaign}-{log.policy}"),
        pl.col(c.OCCURRED_AT).dt.epoch("us").cast(pl.String),
        item.cast(pl.String),
        pl.col(c.POSITION).cast(pl.String),
        pl.col(c.ANONYMOUS_ID).str.strip_prefix("ob-user-"),
        separator="-",
    )
    repeat = pl.int_range(pl.len()).over(said)
    numbered = pl.concat_str(said, pl.lit("-"), repeat.cast(pl.String))
    return pl.when(repeat == 0).then(said).otherwise(numbered)


def _typed(shown: pl.DataFrame, properties: pl.Series, event_type: str) -> pl.DataFrame:
    suffix = event_type.removeprefix("item_")
    events = shown.select(
        pl.concat_str(c.RECOMMENDATION_ID, pl.lit(f"-{suffix}")).alias(c.EVENT_ID),
        pl.lit(event_type).alias(c.EVENT_TYPE),
        pl.all(),
    )
    return json_lines(events, pl.lit(properties))


def _properties(table: Table, campaign: str) -> pl.Series:
    """Return the user's features and, per item, each affinity that is not 0, as JSON."""
    pairs: list[pl.Expr] = []
    for column in table.frame.columns:
        if not column.startswith(_AFFINITY):
            continue
        item = column.removeprefix(_AFFINITY)
        affinity = table.numbers(column, minimum=-1e9, maximum=1e9)
        name = pl.lit(f'"ob-{campaign}-{item}":')
        pair = pl.concat_str(name, pl.lit(affinity).cast(pl.String))
        pairs.append(pl.when(pl.lit(affinity != 0)).then(pair))
    features = table.frame.select(
        pl.struct(_USER_FEATURES).struct.json_encode().str.head(-1).alias("features")
    )
    affinities = pl.concat_str(pairs, separator=",", ignore_nulls=True) if pairs else pl.lit("")
    return features.select(
        pl.concat_str("features", pl.lit(',"affinities":{'), affinities, pl.lit("}}"))
    ).to_series()


def _item_id(item: pl.Series, campaign: str) -> pl.Expr:
    return pl.concat_str(pl.lit(f"ob-{campaign}-"), pl.lit(item).cast(pl.String))
