"""Whether what a user did a moment ago makes the next list better, and what that costs.

    python benchmarks/online_lists.py [--users 2000] [--movielens-small PATH] [--seed 1]

On the platform's own simulation a model is trained on three weeks, and its lists are published. Of
each user's first visit after that every item with positive feedback that is new to them is to be
found in the list that they would have got just before, by the events of the visit until then.
Beside it is the published list of the same moment, without what has left it. A user counts once,
with the mean over the visit. On MovieLens, where its path is given, the visit is the first ten of
the last fifth of a user's ratings. The order of the lists without a ranker, and users whom the
model does not know, are measured with several weights of what follows the session.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl
from machine import say_what_machine
from ranker import DAYS_BEFORE, SAYS, SOURCES, Feedback, read_small, scores_until

from feedback_platform.cleaning.configuration import UNKNOWN, default_rules
from feedback_platform.cleaning.reference import fit_reference
from feedback_platform.cleaning.rules import DEVICE_CATEGORY, rule_table
from feedback_platform.learning.ensemble import Ensemble, Member
from feedback_platform.learning.online.online_lists import OnlineLists
from feedback_platform.learning.online.records import SessionEvent
from feedback_platform.learning.online.session_feedback import SessionRules
from feedback_platform.learning.online.writing import OnlineSettings, write_lists
from feedback_platform.learning.popularity import fit_popularity
from feedback_platform.learning.ranker import fit_ranker
from feedback_platform.learning.ranker_history import History, history
from feedback_platform.learning.ranker_impressions import joined
from feedback_platform.learning.ranker_lists import examples_of
from feedback_platform.learning.recommendations import make_lists
from feedback_platform.learning.recommender import Recommender
from feedback_platform.learning.selection import library, select
from feedback_platform.learning.sources import Model, TrainingInput, within_reach
from feedback_platform.learning.training_data import (
    ITEMS_SCHEMA,
    POSITIVE_THRESHOLD,
    USERS_SCHEMA,
    TimeSplit,
    split_at,
    split_per_user,
)
from feedback_platform.settings import DBT_PROJECT_DIR
from feedback_platform.simulation import SimulationParameters, simulate
from feedback_platform.simulation.product import catalogue

LENGTH: Final = 10
RESAMPLES: Final = 2_000
WEIGHTS: Final = (0.0, 0.5, 1.0, 2.0, 4.0)
SHARES: Final = (0.0, 0.25, 0.5, 0.75, 1.0)
KINDS: Final = ("item_clicked", "item_viewed", "item_used")
RATED: Final = "item_rated"
# Of each user's last fifth; some have hundreds.
RATINGS: Final = 10
EVENTS_SCHEMA: Final[dict[str, type[pl.DataType] | pl.DataType]] = {
    "event_id": pl.String, "type": pl.String, "user_id": pl.String, "item_id": pl.String,
    "value": pl.Float64, "device_type": pl.String, "at": pl.Datetime("us", "UTC"),
}  # fmt: skip
VISIT: Final = timedelta(minutes=30)


@dataclass(frozen=True)
class Visit:
    """One user's first visit after the lists were made."""

    user_id: str
    events: list[SessionEvent]


Ranks = Callable[[Visit, Sequence[SessionEvent], float], list[str]]


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--users", type=int, default=2_000)
    parser.add_argument("--movielens-small", type=Path, metavar="PATH")
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    say_what_machine()
    if chosen.movielens_small:
        movielens(chosen.movielens_small, chosen.seed)
    events, end = simulated(chosen.users, chosen.seed)
    cut = end - timedelta(days=7)
    inner = []
    for days in DAYS_BEFORE:
        last = cut - timedelta(days=days)
        first = last - timedelta(days=7)
        inner.append(split_at(scores_until(events, first), scores_until(events, last), first))
    items = pl.DataFrame(
        [(item.item_id, item.title, [item.category]) for item in catalogue()],
        schema=ITEMS_SCHEMA,
        orient="row",
    )
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "a.lists"
        data = Feedback(scores_until(events, cut), items)
        lists = published(path, data, inner, session_rules(events), chosen.seed)
        visits = visits_after(events, cut)
        known = [visit for visit in visits if has_candidates(lists, visit.user_id)]
        cold = [visit for visit in visits if not has_candidates(lists, visit.user_id)]
        ways = {"folded": listed_by(lists)}
        ways |= {f"{kind} alone": only(lists, kind) for kind in KINDS}
        report("Known users, the ranker", lists, known, ways, chosen.seed)
        plain = replace(lists, folding=replace(lists.folding, trees=None))
        title = "Known users, the order of the lists and a weight"
        report(title, lists, known, weighed(plain), chosen.seed)
        report("Users the model does not know", lists, cold, shared(lists), chosen.seed)
        strangers = [Visit(f"stranger of {visit.user_id}", visit.events) for visit in known]
        report("Known users as strangers", lists, strangers, shared(lists), chosen.seed)
        time_requests(lists, known)


def has_candidates(lists: OnlineLists, user_id: str) -> bool:
    """Return whether the model knows a user."""
    person = lists.people.find(user_id)
    return person is not None and person.candidates is not None


def listed_by(lists: OnlineLists) -> Ranks:
    """Return what lists the items of a moment, with the visit folded in."""

    def ranks(visit: Visit, session: Sequence[SessionEvent], at: float) -> list[str]:
        return [each.item_id for each in lists.recommend(visit.user_id, session, now=at, n=LENGTH)]

    return ranks


def only(lists: OnlineLists, kind: str) -> Ranks:
    """Return what folds in events of one kind, and only lets leave what others speak of."""
    left = unfolded(lists)

    def ranks(visit: Visit, session: Sequence[SessionEvent], at: float) -> list[str]:
        events = [event for event in session if event.event_type == kind]
        gone = {event.item_id for event in session if said_by(event) is not None}
        if not events:
            return left(visit, session, at)
        listed = lists.recommend(visit.user_id, events, now=at, n=100)
        return [each.item_id for each in listed if each.item_id not in gone][:LENGTH]

    return ranks


def unfolded(lists: OnlineLists) -> Ranks:
    """Return what lists the published items, without those that have left."""

    def ranks(visit: Visit, session: Sequence[SessionEvent], at: float) -> list[str]:
        gone = {event.item_id for event in session if said_by(event) is not None}
        listed = lists.recommend(visit.user_id, [], now=at, n=100)
        return [each.item_id for each in listed if each.item_id not in gone][:LENGTH]

    return ranks


def report(
    title: str, lists: OnlineLists, visits: Sequence[Visit], others: dict[str, Ranks], seed: int
) -> None:
    """Print hit rate and nDCG of the next item, with intervals of the gain over users."""
    without = measured(lists, visits, unfolded(lists))
    if not len(without):
        print(f"{title}: no visit to measure\n")
        return
    hit, ndcg = without.mean(axis=0)
    print(f"{title}: {len(without)} users\n{'published':<14} hit@10 {hit:.4f}  nDCG@10 {ndcg:.4f}")
    drawn = np.random.default_rng(seed).integers(0, len(without), (RESAMPLES, len(without)))
    for name, ranks in others.items():
        found = measured(lists, visits, ranks)
        gains = []
        for column in range(2):
            gain = found[:, column] - without[:, column]
            low, high = np.quantile(gain[drawn].mean(axis=1), [0.025, 0.975])
            gains.append(f"{found[:, column].mean():.4f} ({low:+.4f} to {high:+.4f})")
        print(f"{name:<14} hit@10 {gains[0]}  nDCG@10 {gains[1]}")
    print(flush=True)


def measured(lists: OnlineLists, visits: Sequence[Visit], ranks: Ranks) -> np.ndarray:
    """Return hit rate and nDCG of each user with a next item, (users x 2)."""
    rows = []
    for visit in visits:
        values = []
        seen: set[str] = set(known_to(lists, visit.user_id))
        first = True
        for place, event in enumerate(visit.events):
            says = said_by(event)
            if says is None:
                continue
            is_new = event.item_id not in seen and not first
            if is_new and says >= POSITIVE_THRESHOLD:
                listed = ranks(visit, visit.events[:place], event.at)
                rank = listed.index(event.item_id) + 1 if event.item_id in listed else 0
                values.append((float(rank > 0), 1 / np.log2(rank + 1) if rank else 0.0))
            seen.add(event.item_id)
            first = False
        if values:
            rows.append(np.mean(values, axis=0))
    return np.array(rows)


def said_by(event: SessionEvent) -> float | None:
    """Return what an event says of its item; None where it says nothing."""
    if event.event_type == RATED and event.value is not None:
        return (event.value - 0.5) / 4.5
    return SAYS.get(event.event_type)


def known_to(lists: OnlineLists, user_id: str) -> list[str]:
    """Return the items that a user had given feedback on when the lists were made."""
    person = lists.people.find(user_id)
    seen = [] if person is None else person.seen.tolist()
    return [lists.catalogue.item_ids[item] for item in seen]


def time_requests(lists: OnlineLists, visits: Sequence[Visit]) -> None:
    """Print the processor time of a list, with and without a session."""
    for name, size in (("published", 0), ("one event", 1), ("five events", 5)):
        taken = []
        for visit in [*visits, *visits, *visits][:1500]:
            session = visit.events[:size]
            at = visit.events[min(size, len(visit.events) - 1)].at
            started = time.thread_time_ns()
            lists.recommend(visit.user_id, session, now=at)
            taken.append(time.thread_time_ns() - started)
        median, late = np.quantile(np.array(taken[100:]) / 1e3, [0.5, 0.99])
        print(f"{name:<12} {median:.0f} µs of processor time, p99 {late:.0f}")


def movielens(path: Path, seed: int) -> None:
    """Measure on ratings: the last fifth of each user's own, one after the other."""
    data = read_small(path)
    split = split_per_user(data.scores)
    rules = session_rules(pl.DataFrame(schema=EVENTS_SCHEMA))
    visits = []
    for (user_id,), of_user in split.test.sort("last_feedback_at", "item_id").group_by(
        "user_id", maintain_order=True
    ):
        columns = of_user.select("item_id", "feedback_score", "last_feedback_at").head(RATINGS)
        visit = [
            SessionEvent(RATED, item, score * 4.5 + 0.5, at.timestamp())
            for item, score, at in columns.iter_rows()
        ]
        visits.append(Visit(str(user_id), visit))
    with tempfile.TemporaryDirectory() as directory:
        lists = published(
            Path(directory) / "a.lists",
            replace(data, scores=split.train),
            [split_per_user(split.train)],
            rules,
            seed,
            has_own_instants=True,
        )
        known = [visit for visit in visits if has_candidates(lists, visit.user_id)]
        default = {"folded": listed_by(lists)}
        report("MovieLens small, known users", lists, known, default, seed)
        plain = replace(lists, folding=replace(lists.folding, trees=None))
        report(
            "the same, a weight beside the order of the lists", lists, known, weighed(plain), seed
        )
        strangers = [Visit(f"stranger of {visit.user_id}", visit.events) for visit in known]
        report("the same as strangers", lists, strangers, shared(lists), seed)


def weighed(lists: OnlineLists) -> dict[str, Ranks]:
    """Return lists without a ranker, by several weights of what follows the session."""
    return {
        f"weight {weight}": listed_by(
            replace(lists, folding=replace(lists.folding, session_weight=weight))
        )
        for weight in WEIGHTS
    }


def shared(lists: OnlineLists) -> dict[str, Ranks]:
    """Return lists of strangers, by several shares of what follows the session."""
    return {
        f"share {share}": listed_by(
            replace(lists, folding=replace(lists.folding, cold_share=share))
        )
        for share in SHARES
    }


def published(
    path: Path,
    data: Feedback,
    inner: Sequence[TimeSplit],
    rules: SessionRules,
    seed: int,
    *,
    has_own_instants: bool = False,
) -> OnlineLists:
    """Train a model, make its lists, and map their file."""
    items = data.items
    parts = [fitted(split.train, items, seed) for split in inner]
    libraries = [library(models, split) for (models, _), split in zip(parts, inner, strict=True)]
    weights = select(libraries).weights
    ensembles = [ensemble_of(models, weights) for models, _ in parts]
    examples = joined(
        examples_of(split, ensemble.sources, known)
        for split, ensemble, (_, known) in zip(inner, ensembles, parts, strict=True)
    )
    ranker, _ = fit_ranker(examples, list(ensembles[0].sources), seed=seed)
    scores = data.scores
    models, known = fitted(scores, items, seed)
    ensemble = ensemble_of(models, weights)
    everybody = fit_popularity(scores, item_ids=ensemble.item_ids)
    liking = sorted(set(scores.filter(pl.col("feedback_score") >= POSITIVE_THRESHOLD)["user_id"]))
    model = Recommender(ensemble, everybody, tuple(liking), ranker)
    started = time.process_time()
    made = make_lists(
        model,
        scores,
        items,
        model_version="v",
        known=known,
        has_own_instants=has_own_instants,
    )
    middle = time.process_time()
    write_lists(
        path,
        model=model,
        made=made,
        known=known,
        scores=scores,
        items=items,
        settings=OnlineSettings(rules, datetime(2026, 1, 1, tzinfo=UTC)),
        model_version="v",
        segments={},
    )
    ended = time.process_time()
    users = len(made.met) + len(made.cold)
    lists, file = (1e3 * spent / users for spent in (middle - started, ended - middle))
    print(
        f"{users} users, {len(model.item_ids)} items: lists {lists:.2f} ms of processor time "
        f"a user, the file {file:.2f}; "
        f"{path.stat().st_size / users / 1e3:.1f} KB a user\n"
    )
    return OnlineLists.open(path)


def fitted(
    scores: pl.DataFrame, items: pl.DataFrame, seed: int
) -> tuple[dict[str, Model], History]:
    """Fit every source, and take down what was known."""
    part = TrainingInput(scores, items, pl.DataFrame(schema=USERS_SCHEMA), POSITIVE_THRESHOLD)
    able = within_reach(SOURCES, scores["user_id"].n_unique(), items.height)
    models = {source.name: source.fit(part, seed) for source in able}
    return models, history(scores, items, part.preferences.item_ids)


def ensemble_of(models: dict[str, Model], weights: Mapping[str, float]) -> Ensemble:
    """Return the weighted sum of what was fitted."""
    kinds = {source.name: source.kind for source in SOURCES}
    return Ensemble(tuple(Member(n, kinds[n], w, models[n]) for n, w in weights.items()))


def session_rules(events: pl.DataFrame) -> SessionRules:
    """Return the rules of the platform, with the statistics of these events."""
    rules = default_rules()
    values = events.select(
        pl.col("type").alias("event_type"),
        "device_type",
        "value",
        pl.col("at").alias("received_at"),
    )
    reference = fit_reference(values, rules, effective_from=datetime(2020, 1, 1, tzinfo=UTC))
    table = rule_table(rules, reference).filter(pl.col(DEVICE_CATEGORY) == UNKNOWN)
    seeds = DBT_PROJECT_DIR / "seeds"
    return SessionRules.of(
        table, pl.read_csv(seeds / "signal_weights.csv"), pl.read_csv(seeds / "score_rules.csv")
    )


def visits_after(events: pl.DataFrame, cut: datetime) -> list[Visit]:
    """Return each user's first visit after an instant: it ends with half an hour of nothing."""
    visits = []
    late = events.filter((pl.col("at") > cut) & pl.col("user_id").is_not_null()).sort("at")
    for (user_id,), of_user in late.group_by("user_id", maintain_order=True):
        visit: list[SessionEvent] = []
        before = None
        for kind, item, value, at in of_user.select("type", "item_id", "value", "at").iter_rows():
            if before is not None and at - before > VISIT:
                break
            before = at
            visit.append(SessionEvent(kind, item, value, at.timestamp()))
        visits.append(Visit(str(user_id), visit))
    return visits


def simulated(users: int, seed: int) -> tuple[pl.DataFrame, datetime]:
    """Return the events of four weeks that are of items, and when these end."""
    simulation = simulate(SimulationParameters(first_day=date(2026, 1, 5), users=users, seed=seed))
    rows = [row for line in simulation.lines["line"] if (row := _event(line)) is not None]
    events = pl.DataFrame(
        rows,
        schema=EVENTS_SCHEMA,
        orient="row",
    )
    end = simulation.parameters.end
    return events.unique("event_id", keep="first", maintain_order=True), end


def _event(line: str) -> tuple[object, ...] | None:
    try:
        event = json.loads(line)
        if event["event_type"] not in {*SAYS, "item_impression"}:
            return None
        at = datetime.fromisoformat(event["received_at"]).astimezone(UTC)
        names = ("event_id", "event_type", "user_id", "item_id")
        value = event.get("value")
        value = float(value) if isinstance(value, int | float) else None
        return (*(event[name] for name in names), value, event.get("device_type"), at)
    except (ValueError, KeyError, TypeError):
        return None


if __name__ == "__main__":
    main()
