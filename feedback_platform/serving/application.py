"""One ASGI application out of all that the platform serves."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from typing import Protocol

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Mount
from starlette.types import ASGIApp, Receive, Scope, Send

from feedback_platform.adjustment.flags.flags import Flags
from feedback_platform.clock import Clock, utc_now
from feedback_platform.events.registry.registry import SchemaRegistry
from feedback_platform.events.translation.mapping import load_mapping
from feedback_platform.experiments.running import ExperimentLog
from feedback_platform.ingestion.collector.application import Collector
from feedback_platform.ingestion.collector.audience import Audience
from feedback_platform.ingestion.collector.prompt import Prompt
from feedback_platform.ingestion.collector.station import Station
from feedback_platform.lake.store import Lake
from feedback_platform.serving.access import Access
from feedback_platform.serving.api_keys import ApiKeys
from feedback_platform.serving.demo.routes import demo_routes
from feedback_platform.serving.demo.switch import WRITE_KEY, serves_demo
from feedback_platform.serving.demo.visitors import DemoVisitors
from feedback_platform.serving.documentation import documentation_routes
from feedback_platform.serving.erasures import Erasures
from feedback_platform.serving.experiment_feed import ExperimentFeed
from feedback_platform.serving.exports import Exports
from feedback_platform.serving.exposures import Exposures
from feedback_platform.serving.flag_feed import FlagFeed
from feedback_platform.serving.flag_news import FlagNews
from feedback_platform.serving.guard import Guard
from feedback_platform.serving.health import Health, health_routes
from feedback_platform.serving.impressions import Impressions
from feedback_platform.serving.metrics.endpoint import metrics_route
from feedback_platform.serving.metrics.platform import (
    collector_metrics,
    experiment_metrics,
    flag_metrics,
    freshness_metrics,
    publication_metrics,
    recommendation_metrics,
    worker_metrics,
)
from feedback_platform.serving.neighbours import Neighbours
from feedback_platform.serving.ofrep import PREFIX as OFREP
from feedback_platform.serving.ofrep import Ofrep
from feedback_platform.serving.ofrep_keys import ClientKeys
from feedback_platform.serving.ofrep_stream import FlagStreams
from feedback_platform.serving.opendsr import PREFIX as OPENDSR
from feedback_platform.serving.opendsr import OpenDsr
from feedback_platform.serving.operation import ALONE, Operation, ServingProcess
from feedback_platform.serving.pending_preferences import PendingPreferences
from feedback_platform.serving.preferences import PreferencesEndpoint
from feedback_platform.serving.preferences_writer import PreferencesWriter
from feedback_platform.serving.published_freshness import PublishedFreshness
from feedback_platform.serving.published_lists import PublishedLists
from feedback_platform.serving.recommendation_requests import PREFIX as RECOMMENDATIONS
from feedback_platform.serving.recommendations import Recommendations
from feedback_platform.serving.registry import build_registry_application
from feedback_platform.serving.session_events import FOLDED, SessionLines
from feedback_platform.serving.session_memory import SessionMemory
from feedback_platform.serving.stated_preferences import STATED, StatedPreferences
from feedback_platform.serving.user_facts import PublishedUsers
from feedback_platform.serving.users import PREFIX as USERS
from feedback_platform.serving.users import Users
from feedback_platform.serving.varied_lists import VariedLists
from feedback_platform.settings import DBT_PROJECT_DIR, Settings
from feedback_platform.warehouse.score_settings import signal_names


class Application:
    """Most paths are told apart before any routing: events first, then others by their prefix."""

    def __init__(
        self,
        collector: Collector,
        by_prefix: Mapping[str, ASGIApp],
        others: Starlette,
        neighbours: Neighbours,
        operation: Operation,
    ) -> None:
        self.collector = collector
        self.by_prefix = by_prefix
        self.others = others
        self._guarded = Guard(others)
        self._neighbours = neighbours
        self._operation = operation
        self._observed = operation.observed(self._answer)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or take part in starting and stopping."""
        await self._observed(scope, receive, send)

    def _answer(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        return self._chosen(scope)(scope, receive, send)

    def _chosen(self, scope: Scope) -> ASGIApp:
        if scope["type"] != "http":
            return self._guarded
        path: str = scope["path"]
        if self.collector.handles(path):
            return self.collector
        for prefix, application in self.by_prefix.items():
            if path.startswith(prefix):
                # What another worker has answered before this request was sent counts for it.
                self._neighbours.receive()
                return application
        return self._guarded

    def begin_to_stop(self) -> None:
        """Say at /readyz that the server stops."""
        self._operation.health.is_draining = True

    def tick(self) -> None:
        """Do what is due about once a second."""
        self._operation.snapshots.write()


class _Look(Protocol):
    """What looks at something regularly, while the application runs."""

    async def start(self) -> None: ...

    async def stop(self) -> None: ...


def build_application(
    settings: Settings, process: ServingProcess = ALONE, *, clock: Clock | None = None
) -> Application:
    """Return the application of one process.

    Args:
        settings: whom it listens to, and where it stores.
        process: which one it is of how many that share the load, and so the rate of each key.
        clock: another time (UTC) than that of this machine, for all that is said or stored.
    """
    lake = Lake(settings.lake_url)
    rate = settings.events_per_second
    neighbours = Neighbours(process.meeting_place)
    mapping = load_mapping(settings.event_mapping)
    told = clock or utc_now
    # A clock on the wall may be set back, and would keep events for longer.
    elapsed = time.monotonic if clock is None else partial(_seconds, clock)
    memory = SessionMemory(neighbours, SessionLines(mapping).interpret, clock=elapsed)
    pending = PendingPreferences(lake, on_leaving=memory.forget, clock=told)
    signals = signal_names(DBT_PROJECT_DIR / "seeds")
    writer = PreferencesWriter(lake, pending, neighbours)
    stated = StatedPreferences(lake, settings.published_path, mapping, writer, signals)
    station = Station(
        lake,
        write_keys=settings.write_keys,
        events_per_second=None if rate is None else rate / process.workers,
        audience=Audience(memory.hear, mapping, FOLDED),
        prompt=Prompt(stated.take, mapping, STATED),
        clock=told,
    )
    collector = Collector(station)
    feed = FlagFeed(Flags(lake))
    experiments = ExperimentFeed(ExperimentLog(lake))
    news = FlagNews(feed, experiments)
    users = PublishedUsers(settings.published_path, pending)
    keys = ClientKeys(settings.write_keys, settings.api_keys)
    access = Access(settings.api_keys, settings.user_token_secrets)
    erasures = Erasures(lake, pending, neighbours, clock=told)
    preferences = PreferencesEndpoint(station, users, pending, writer, signals)
    freshness = PublishedFreshness(settings.published_path)
    streams = FlagStreams(news)
    lists = PublishedLists(lake, settings.cache_dir / "lists")
    health = Health(lake, station.commit, lambda: lists.are_awaited)
    varied = VariedLists(lists, experiments, users)
    impressions, exposures = Impressions(station), Exposures(station)
    ofrep = Ofrep(news, users, keys, streams, exposures)
    by_prefix: dict[str, ASGIApp] = {
        OFREP: ofrep,
        RECOMMENDATIONS: Recommendations(
            varied, memory, users, access, impressions, exposures, clock=partial(_seconds, told)
        ),
        USERS: Users(station, access, preferences, Exports(settings.published_path), erasures),
        OPENDSR: OpenDsr(lake, station, access, erasures),
    }
    metrics = [
        *collector_metrics(collector),
        *flag_metrics(feed, streams),
        *publication_metrics(users, pending),
        *freshness_metrics(freshness),
        *experiment_metrics(experiments, (ofrep.assignments, varied.assignments), exposures),
        *recommendation_metrics(lists, memory, impressions),
        *worker_metrics(collector, neighbours),
    ]
    operation = Operation(process, health, collector.post_paths, metrics)

    lifespan = _lifespan(
        station, neighbours, (pending, users, feed, experiments, lists, freshness), operation
    )
    registry = build_registry_application(SchemaRegistry(lake), settings.api_keys)
    routes: list[BaseRoute] = [
        *health_routes(health),
        metrics_route(operation.snapshots, ApiKeys(settings.api_keys)),
        *documentation_routes(),
        Mount("/registry", registry),
    ]
    if serves_demo(settings):
        visitors = DemoVisitors(lake, users, settings.user_token_secrets)
        routes += demo_routes(visitors, settings.write_keys.get(WRITE_KEY, WRITE_KEY))
    others = Starlette(
        routes=routes, lifespan=lifespan, exception_handlers={HTTPException: _as_json}
    )
    return Application(collector, by_prefix, others, neighbours, operation)


def _lifespan(
    station: Station, neighbours: Neighbours, looks: Sequence[_Look], operation: Operation
) -> Callable[[Starlette], AbstractAsyncContextManager[None]]:
    """Return what starts the parts of an application, and stops them in the opposite order."""

    @asynccontextmanager
    async def lifespan(_application: Starlette) -> AsyncIterator[None]:
        station.commit.start()
        neighbours.start()
        # Together they wait no longer for a store that does not answer than one of them.
        await asyncio.gather(*(look.start() for look in looks))
        yield
        for look in reversed(looks):
            await look.stop()
        await station.commit.stop()
        neighbours.stop()
        operation.snapshots.close()

    return lifespan


def _seconds(clock: Clock) -> float:
    return clock().timestamp()


def _as_json(_request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    codes = {404: "not_found", 405: "method_not_allowed", 413: "too_large"}
    content = {"code": codes.get(error.status_code, "refused"), "message": f"{error.detail}."}
    return JSONResponse(content, status_code=error.status_code, headers=error.headers)
