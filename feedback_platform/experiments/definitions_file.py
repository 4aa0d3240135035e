"""The file in which people define experiments: TOML, a table `[experiments.<key>]` each."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from feedback_platform.adjustment.flags.definition import EVERYBODY, Condition
from feedback_platform.adjustment.flags.parsing import parse_condition
from feedback_platform.errors import InvalidInputError
from feedback_platform.experiments.definition import (
    DEFAULT_ALPHA,
    DEFAULT_MINIMUM_USERS,
    DEFAULT_POWER,
    DEFAULT_TUNED_FOR,
    Design,
    Experiment,
    Goal,
    Guard,
    HoldOut,
    Lever,
    OnShip,
    Programme,
    Slot,
    Unit,
)
from feedback_platform.experiments.metrics import METRICS
from feedback_platform.text_file import read_text_file
from feedback_platform.toml_entries import Entries

MOST_VARIANTS: Final = 10
# A tenth of all at most: what nobody learns from costs those who are left out.
LARGEST_HOLDOUT: Final = 10.0
SMALLEST_ARM: Final = 20

_HOLDOUT: Final = ("percentage", "seed")
_EXPERIMENT: Final = (
    "hypothesis", "varies", "variants", "control", "split", "percentage", "seed", "unit",
    "audience", "exclusion", "primary", "secondary", "guards", "horizon", "alpha", "power",
    "sequential", "tuned_for", "minimum_users", "cuped_window",
    "on_ship",
)  # fmt: skip
_KEY: Final = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*", re.ASCII)
_LONGEST_KEY: Final = 100
_MOST_CONDITIONS: Final = 20
# Shares such as 33.33 three times are meant to be all.
_TOLERANCE: Final = 0.1


def load_experiments(path: Path) -> Programme:
    """Return the experiments of a file.

    Raises:
        InvalidInputError: the file cannot be read, or says what no experiment can mean; the text
            names the file, the experiment, the entry and what it accepts.
    """
    text = read_text_file(path, "The experiments' definitions", "name a TOML file")
    return parse_experiments(text, origin=str(path))


def parse_experiments(text: str, *, origin: str) -> Programme:
    """Return the experiments that a text defines.

    Args:
        text: TOML.
        origin: its name, for the error.

    Raises:
        InvalidInputError: see `load_experiments`.
    """
    try:
        document = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidInputError(f"{origin} is not valid TOML: {error}") from error
    entries = Entries(document, origin, ("holdout", "experiments"))
    holdout = parse_holdout(entries.value("holdout", {}), origin=origin)
    tables = entries.value("experiments", {})
    if not isinstance(tables, dict):
        raise entries.refused("experiments", "tables [experiments.<key>]")
    experiments = {
        key: parse_experiment(key, table, origin=origin) for key, table in tables.items()
    }
    _check_seeds(experiments.values(), holdout, origin)
    _check_slots(experiments.values(), origin)
    return Programme(experiments, holdout)


def parse_holdout(table: Any, *, origin: str) -> HoldOut:
    """Return the hold-out that a table `[holdout]` defines.

    Raises:
        InvalidInputError: see `load_experiments`.
    """
    entries = Entries(table, f"{origin}: holdout", _HOLDOUT)
    seed = entries.text("seed") if "seed" in entries else HoldOut.seed
    return HoldOut(entries.number("percentage", 0, LARGEST_HOLDOUT, HoldOut.percentage), seed)


def parse_experiment(key: str, table: Any, *, origin: str) -> Experiment:
    """Return the experiment that a table `[experiments.<key>]` defines.

    Raises:
        InvalidInputError: see `load_experiments`.
    """
    if not _KEY.fullmatch(key) or len(key) > _LONGEST_KEY:
        raise InvalidInputError(
            f"{origin}: an experiment is called {key[:120]!r}; it accepts 1 to {_LONGEST_KEY} "
            "lower-case letters and digits, with single dashes between them."
        )
    entries = Entries(table, f"{origin}: experiment {key!r}", _EXPERIMENT)
    lever, subject = _varied(entries)
    variants = _variants(entries, lever)
    return Experiment(
        key=key,
        hypothesis=entries.text("hypothesis"),
        lever=lever,
        subject=subject,
        variants=variants,
        control=entries.one_of("control", list(variants)),
        split=_split(entries, variants),
        primary=_goals(entries),
        design=_design(entries),
        percentage=entries.number("percentage", 0, EVERYBODY, EVERYBODY),
        seed=entries.text("seed") if "seed" in entries else key,
        audience=_audience(entries),
        slot=_slot(entries),
        secondary=_secondary(entries),
        guards=_guards(entries),
        unit=Unit(entries.one_of("unit", list(Unit), Unit.USER)),
        on_ship=OnShip(entries.one_of("on_ship", list(OnShip), OnShip.WAIT)),
    )


def _varied(entries: Entries) -> tuple[Lever, str]:
    table = entries.value("varies")
    accepted = "one of " + ", ".join(f"{{ {lever} = '…' }}" for lever in Lever)
    if not isinstance(table, dict) or len(table) != 1:
        raise entries.refused("varies", accepted)
    (name,) = table
    varied = Entries(table, f"{entries.where}, varies", [lever.value for lever in Lever])
    return Lever(name), varied.text(name)


def _variants(entries: Entries, lever: Lever) -> dict[str, str | float]:
    table = entries.value("variants")
    if not isinstance(table, dict) or not 2 <= len(table) <= MOST_VARIANTS:  # noqa: PLR2004
        raise entries.refused("variants", f"a table of 2 to {MOST_VARIANTS} values by name")
    inner = Entries(table, f"{entries.where}, variants", list(table))
    variants: dict[str, str | float] = {}
    for name in table:
        if not name or not name.isprintable() or len(name) > _LONGEST_KEY:
            raise entries.refused("variants", f"names of 1 to {_LONGEST_KEY} printable characters")
        is_number = lever is Lever.THRESHOLD
        variants[name] = inner.number(name, -1e9, 1e9) if is_number else inner.text(name)
    if len(set(variants.values())) < len(variants):
        raise entries.refused("variants", "values that differ: equal ones cannot be told apart")
    return variants


def _split(entries: Entries, variants: Mapping[str, Any]) -> dict[str, float]:
    table = entries.value("split")
    inner = Entries(table, f"{entries.where}, split", list(variants))
    # The order is that of the variants, so that the file may be tidied without moving anybody.
    shares = {name: inner.number(name, 0, EVERYBODY, is_open=True) for name in variants}
    if abs(sum(shares.values()) - EVERYBODY) > _TOLERANCE:
        raise entries.refused(
            "split", "percentages that add up to 100; with percentage, fewer take part"
        )
    return shares


def _audience(entries: Entries) -> tuple[Condition, ...]:
    tables = entries.value("audience", [])
    if not isinstance(tables, list) or len(tables) > _MOST_CONDITIONS:
        raise entries.refused("audience", f"a list of up to {_MOST_CONDITIONS} conditions")
    return tuple(
        parse_condition(f"{entries.where}, condition {number}", table)
        for number, table in enumerate(tables, start=1)
    )


def _slot(entries: Entries) -> Slot | None:
    if "exclusion" not in entries:
        return None
    where = f"{entries.where}, exclusion"
    slot = Entries(entries.value("exclusion"), where, ("group", "from", "to"))
    begins = slot.number("from", 0, EVERYBODY)
    ends = slot.number("to", 0, EVERYBODY)
    if ends <= begins:
        raise slot.refused("to", f"a number above {begins:g} and up to 100")
    return Slot(slot.text("group"), begins, ends)


def _goals(entries: Entries) -> tuple[Goal, ...]:
    goals = tuple(
        Goal(metric, goal.number("minimum_effect", 0, _reach(metric), is_open=True))
        for goal, metric in _measured(entries, "primary", ("metric", "minimum_effect"))
    )
    if not goals:
        raise entries.refused("primary", "one metric at least: something has to decide")
    return goals


def _guards(entries: Entries) -> tuple[Guard, ...]:
    return tuple(
        Guard(metric, guard.number("margin", 0, _reach(metric), is_open=True))
        for guard, metric in _measured(entries, "guards", ("metric", "margin"))
    )


def _measured(entries: Entries, name: str, known: tuple[str, ...]) -> Iterable[tuple[Entries, str]]:
    """Give the tables under a name, each with its metric, which stands there only once."""
    tables = entries.value(name, [])
    if not isinstance(tables, list):
        raise entries.refused(name, f"tables, each under [[experiments.<key>.{name}]]")
    seen: set[str] = set()
    for number, table in enumerate(tables, start=1):
        inner = Entries(table, f"{entries.where}, {name} {number}", known)
        metric = inner.one_of("metric", list(METRICS))
        if metric in seen:
            raise inner.refused("metric", "a metric once")
        seen.add(metric)
        yield inner, metric


def _secondary(entries: Entries) -> tuple[str, ...]:
    names = entries.value("secondary", [])
    is_list = isinstance(names, list) and all(
        isinstance(name, str) and name in METRICS for name in names
    )
    if not is_list or len(set(names)) < len(names):
        raise entries.refused("secondary", f"a list of metrics, each once: {', '.join(METRICS)}")
    return tuple(names)


def _reach(metric: str) -> float:
    """Return how far apart two values of a metric can be."""
    return METRICS[metric].high - METRICS[metric].low


def _design(entries: Entries) -> Design:
    is_sequential = entries.value("sequential", default=True)
    if not isinstance(is_sequential, bool):
        raise entries.refused("sequential", "true or false")
    return Design(
        horizon=entries.duration("horizon"),
        alpha=entries.number("alpha", 0, 0.5, DEFAULT_ALPHA, is_open=True),
        power=entries.number("power", 0.5, 1, DEFAULT_POWER, is_open=True),
        is_sequential=is_sequential,
        tuned_for=_count(entries, "tuned_for", DEFAULT_TUNED_FOR),
        minimum_users=_count(entries, "minimum_users", DEFAULT_MINIMUM_USERS),
        cuped_window=entries.duration("cuped_window") if "cuped_window" in entries else None,
    )


def _count(entries: Entries, name: str, default: int) -> int:
    return entries.count(name, SMALLEST_ARM) if name in entries else default


def _check_seeds(experiments: Iterable[Experiment], holdout: HoldOut, origin: str) -> None:
    """Refuse seeds that stand twice: who is where in one would be so in the other."""
    owners = {holdout.seed: "the hold-out"}
    for experiment in experiments:
        if experiment.seed in owners:
            raise InvalidInputError(
                f"{origin}: experiment {experiment.key!r}: seed is {experiment.seed!r}, as of "
                f"{owners[experiment.seed]}; it accepts one of its own, or both have the same "
                "users in the same parts."
            )
        owners[experiment.seed] = f"experiment {experiment.key!r}"


def _check_slots(experiments: Iterable[Experiment], origin: str) -> None:
    taken: list[tuple[Slot, str]] = []
    for experiment in experiments:
        slot = experiment.slot
        if slot is None:
            continue
        for other, key in taken:
            if other.group == slot.group and slot.begins < other.ends and other.begins < slot.ends:
                raise InvalidInputError(
                    f"{origin}: experiment {experiment.key!r}, exclusion: {slot.begins:g} to "
                    f"{slot.ends:g} of the group {slot.group!r} overlaps with {key!r}, which has "
                    f"{other.begins:g} to {other.ends:g}; it accepts a range that no other has."
                )
        taken.append((slot, experiment.key))
