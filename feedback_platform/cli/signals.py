"""signals: what each feedback signal says of the days to come, and weights that speaks for."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import click
import duckdb
import orjson
import polars as pl

from feedback_platform.cli.options import with_json, with_settings
from feedback_platform.errors import InvalidInputError
from feedback_platform.settings import DBT_PROJECT_DIR, Settings
from feedback_platform.warehouse.published import query
from feedback_platform.warehouse.score_settings import (
    WEIGHTS_FILE,
    check_weights,
    weights_with_confidence,
)

_SEEDS: Final = DBT_PROJECT_DIR / "seeds"
_WIDTH: Final = 100
_INDENT: Final = " " * 6
_QUALITY: Final = """
    from metrics.signal_quality
    order by horizon_days, target desc, abs(partial_correlation) desc, signal
"""
_WEIGHTS: Final = "from metrics.signal_weights order by signal"
_NOTHING: Final = (
    "Nothing was measured yet: it takes three weeks of data, and `feedback-platform train` or the "
    "job `measure`."
)


@click.group(name="signals")
def signals() -> None:
    """Show what feedback signals are worth, and propose confidence weights."""


@signals.command(name="list", epilog="Example: feedback-platform signals list")
@with_settings
@with_json
def list_command(settings: Settings, as_json: bool) -> None:
    """Show how each signal goes together with what its users did later, the strongest first.

    Twice: as it is, and beside how often the users came before.
    """
    quality = _published(settings, _QUALITY)
    if as_json:
        click.echo(orjson.dumps(quality.to_dicts()))
        return
    if quality.is_empty():
        click.echo(_NOTHING)
    for (horizon, target), rows in quality.group_by("horizon_days", "target", maintain_order=True):
        click.echo(f"{target}, {horizon} days ahead")
        click.echo(
            f"{_INDENT}{'':<12}{'users':>8}  {'correlation':<26}{'beside visits':<26}{'p':>8}"
        )
        for row in rows.iter_rows(named=True):
            click.echo(
                f"{_INDENT}{row['signal']:<12}{row['users']:>8,}  {_figures(row, ''):<26}"
                f"{_figures(row, 'partial_'):<26}{row['partial_p_value']:>8.2g}"
            )


@signals.command(
    epilog="Example: feedback-platform signals propose --write signal_weights.csv",
)
@click.option(
    "--write",
    "path",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Where to write the proposal as the weights of the project; no file that is there.",
)
@with_settings
@with_json
def propose(settings: Settings, as_json: bool, path: Path | None) -> None:
    """Show the weights that the quality of the signals speaks for; they change nothing.

    Who approves of a proposal puts the file in the place of the weights in force; the next run
    builds the warehouse anew with it.
    """
    weights = _published(settings, _WEIGHTS)
    if path is not None:
        _write(weights, path)
    if as_json:
        click.echo(orjson.dumps(weights.to_dicts()))
        return
    if weights.is_empty():
        click.echo(_NOTHING)
    for row in weights.iter_rows(named=True):
        bounds = "" if row["low"] is None else f" ({row['low']:.3f} to {row['high']:.3f})"
        click.echo(
            f"{row['signal']}: {row['current_weight']:.3f} → {row['proposed_weight']:.3f}{bounds}"
        )
        click.echo(click.wrap_text(row["evidence"], _WIDTH, _INDENT, _INDENT))
    if path is not None:
        click.echo(
            f"Written to {path}. To approve of it, put it in the place of {_SEEDS / WEIGHTS_FILE}; "
            "the next run builds the warehouse anew with it."
        )


def _published(settings: Settings, sql: str) -> pl.DataFrame:
    try:
        return query(settings.published_path, sql)
    except duckdb.CatalogException:
        # An earlier release published it.
        return pl.DataFrame()


def _write(weights: pl.DataFrame, path: Path) -> None:
    if weights.is_empty():
        raise InvalidInputError(_NOTHING)
    text = weights_with_confidence(
        _SEEDS,
        {
            signal: (before, after)
            for signal, before, after in weights.select(
                "signal", "current_weight", "proposed_weight"
            ).iter_rows()
        },
    )
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise InvalidInputError(f"{path} is there already; name another file.") from None
    except OSError as error:
        raise InvalidInputError(f"{path} cannot be written: {error.strerror}.") from error
    check_weights(path)


def _figures(row: dict[str, Any], of: str) -> str:
    return f"{row[f'{of}correlation']:+.3f} ({row[f'{of}low']:+.3f} to {row[f'{of}high']:+.3f})"
