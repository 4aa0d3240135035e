"""The metrics of what a server does: events, connections, flags, published tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from feedback_platform.ingestion.collector.application import Collector
from feedback_platform.serving.connections import TALLY
from feedback_platform.serving.experiment_feed import ExperimentFeed
from feedback_platform.serving.experiment_tally import ExperimentTally
from feedback_platform.serving.exposures import Exposures
from feedback_platform.serving.flag_feed import FlagFeed
from feedback_platform.serving.impressions import Impressions
from feedback_platform.serving.metrics.metric import Merge, Metric, counter, gauge, histogram
from feedback_platform.serving.neighbours import Neighbours
from feedback_platform.serving.ofrep_stream import FlagStreams
from feedback_platform.serving.pending_preferences import PendingPreferences
from feedback_platform.serving.published_lists import PublishedLists
from feedback_platform.serving.session_memory import SessionMemory
from feedback_platform.serving.user_facts import PublishedUsers


def collector_metrics(collector: Collector) -> list[Metric]:
    """Return the metrics of taking events."""
    commit = collector.station.commit
    tally = commit.tally
    return [
        counter(
            "feedback_collector_events",
            "Events that were made durable; one sent twice counts twice.",
            lambda: tally.events,
        ),
        counter(
            "feedback_collector_stored_bytes",
            "Bytes of the lines that were made durable, before compression.",
            lambda: tally.size,
        ),
        Metric(
            "feedback_collector_refused_requests",
            "Requests of which nothing was taken, by the code of the answer.",
            lambda: {(code,): count for code, count in collector.refused.items()},
            ("reason",),
        ),
        histogram(
            "feedback_collector_commit_duration_seconds",
            "What a write of the requests that had come meanwhile took.",
            tally.seconds,
        ),
        histogram(
            "feedback_collector_commit_size_bytes",
            "What was written at once, before compression.",
            tally.sizes,
        ),
        counter(
            "feedback_collector_commit_failures",
            "Writes that failed; their senders were told to send again.",
            lambda: tally.failures,
        ),
        gauge(
            "feedback_collector_waiting_requests",
            "Requests that wait for the next writes.",
            lambda: commit.waiting,
        ),
        gauge(
            "feedback_collector_held_bytes",
            "Bytes of lines that are not durable yet.",
            lambda: commit.held_bytes,
        ),
    ]


def connection_metrics() -> list[Metric]:
    """Return the metrics of connections."""
    return [
        gauge(
            "feedback_http_connections_open",
            "Connections that are open.",
            lambda: TALLY.open,
        ),
        Metric(
            "feedback_http_refused_connections",
            "Connections that were closed with a refusal, by its code.",
            lambda: {(code,): count for code, count in TALLY.refused.items()},
            ("reason",),
        ),
    ]


def flag_metrics(feed: FlagFeed, streams: FlagStreams) -> list[Metric]:
    """Return the metrics of flags; of several processes those of the one that is most behind."""
    return [
        gauge(
            "feedback_flags_position",
            "The last change of a flag that every process has seen.",
            lambda: feed.current.position if feed.current else None,
            Merge.LEAST,
        ),
        gauge(
            "feedback_flags_read_timestamp_seconds",
            "When the flags were last read from the store.",
            lambda: feed.read_at,
            Merge.LEAST,
        ),
        gauge(
            "feedback_flag_streams_open",
            "Clients that listen for changed flags.",
            lambda: streams.open,
        ),
    ]


def experiment_metrics(
    feed: ExperimentFeed, assignments: Sequence[ExperimentTally], exposures: Exposures
) -> list[Metric]:
    """Return the metrics of what experiments give; each experiment is known to the log of them."""
    labels = ("experiment", "variant")
    return [
        gauge(
            "feedback_experiments_position",
            "The last start or stop of an experiment that every process has seen.",
            lambda: feed.current.position if feed.current else None,
            Merge.LEAST,
        ),
        Metric(
            "feedback_experiment_assignments",
            "Evaluations and lists that an experiment has decided.",
            lambda: sum((each.counts for each in assignments), Counter()),
            labels,
        ),
        Metric(
            "feedback_experiment_exposures",
            "Users who were given a variant, each once a day in each process.",
            lambda: exposures.tally.counts,
            labels,
        ),
        counter(
            "feedback_experiment_exposures_lost",
            "Exposures that the store did not take; the user's next one is told again.",
            lambda: exposures.lost,
        ),
    ]


def publication_metrics(users: PublishedUsers, pending: PendingPreferences) -> list[Metric]:
    """Return the metrics of what the pipeline published, and of what users said since."""
    return [
        gauge(
            "feedback_published_tables_timestamp_seconds",
            "When the tables in use were published.",
            lambda: users.published_at,
            Merge.LEAST,
        ),
        gauge(
            "feedback_preferences_read_timestamp_seconds",
            "When changed preferences were last read from the store.",
            lambda: pending.read_at,
            Merge.LEAST,
        ),
    ]


def recommendation_metrics(
    lists: PublishedLists, memory: SessionMemory, impressions: Impressions
) -> list[Metric]:
    """Return the metrics of lists that are answered."""
    return [
        gauge(
            "feedback_lists_timestamp_seconds",
            "When the lists in use were made.",
            lambda: lists.current.made_at.timestamp() if lists.current else None,
            Merge.LEAST,
        ),
        gauge(
            "feedback_session_events",
            "Events of the last minutes that count in the next list of their users.",
            lambda: memory.events,
        ),
        gauge(
            "feedback_session_held_bytes",
            "What these take of the memory.",
            lambda: memory.held_bytes,
        ),
        counter(
            "feedback_impressions_logged",
            "Answered lists whose impressions were made durable.",
            lambda: impressions.logged,
        ),
        counter(
            "feedback_impressions_lost",
            "Answered lists whose impressions the store did not take.",
            lambda: impressions.lost,
        ),
    ]


def worker_metrics(collector: Collector, neighbours: Neighbours) -> list[Metric]:
    """Return the metrics of what workers tell each other."""
    audience = collector.station.audience
    return [
        counter(
            "feedback_session_passed_over_events",
            "Events that came too fast to count in the next list of their users.",
            lambda: audience.passed_over if audience else 0,
        ),
        counter(
            "feedback_neighbour_dropped_messages",
            "What one worker told another that did not reach it.",
            lambda: neighbours.dropped,
        ),
    ]
