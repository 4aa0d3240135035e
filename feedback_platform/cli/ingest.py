"""ingest: consumers that bring streams into the lake."""

from __future__ import annotations

import logging
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from threading import Event
from typing import Any

import click

from feedback_platform.cleaning.configuration import load_rules
from feedback_platform.cleaning.engines.selection import chosen_engine
from feedback_platform.cleaning.processing import clean_new
from feedback_platform.cli.options import show, with_json, with_settings
from feedback_platform.errors import InvalidInputError
from feedback_platform.events.translation.mapping import load_mapping
from feedback_platform.ingestion.decoding import MessageDecoder
from feedback_platform.ingestion.kafka import KafkaIngestion
from feedback_platform.ingestion.kafka_client import KafkaSource
from feedback_platform.ingestion.schemas import schema_source
from feedback_platform.ingestion.streams.summary import StreamSummary
from feedback_platform.lake.store import Lake
from feedback_platform.settings import Settings

_LINGER = click.option(
    "--linger",
    type=click.FloatRange(min=0.05, max=300.0),
    default=1.0,
    show_default=True,
    help="Seconds that messages wait to be stored together; more where there are many partitions.",
)
_UNTIL_END = click.option(
    "--until-end", is_flag=True, help="Stop once everything that was there is stored."
)


@click.group(name="ingest")
def ingest_group() -> None:
    """Bring the events of a stream into the lake, each message exactly once."""


@ingest_group.command(
    epilog="Example: feedback-platform ingest kafka --topic events "
    "--bootstrap-servers localhost:9092 -X security.protocol=SSL"
)
@click.option("--topic", "topics", multiple=True, required=True, help="To read; may be repeated.")
@click.option("--group", default="feedback-platform", show_default=True, help="Consumer group.")
@click.option("--bootstrap-servers", help="host:port,… [default: FEEDBACK_KAFKA_BOOTSTRAP_SERVERS]")
@click.option(
    "-X", "pairs", multiple=True, metavar="KEY=VALUE", help="A setting of librdkafka; repeatable."
)
@_LINGER
@_UNTIL_END
@click.option(
    "--engine",
    type=click.Choice(["consumer", "spark"]),
    default="consumer",
    show_default=True,
    help="A consumer that stores; or a Spark job that stores and cleans.",
)
@click.option("--checkpoint", help="Where the Spark job keeps its progress. [default: data dir]")
@with_settings
@with_json
def kafka(
    topics: tuple[str, ...],
    group: str,
    bootstrap_servers: str | None,
    pairs: tuple[str, ...],
    engine: str,
    checkpoint: str | None,
    linger: float,
    until_end: bool,
    settings: Settings,
    as_json: bool,
) -> None:
    """Read Kafka topics: JSON, or JSON and Protobuf with a schema registry's framing.

    Offsets are committed once the messages are durable in the lake. What cannot be decoded is put
    aside with its bytes. SIGTERM and Ctrl-C store what was read, commit it and leave the group.
    With --engine spark a Structured Streaming job does the same, and cleans what has landed.
    """
    servers = bootstrap_servers or settings.kafka_bootstrap_servers
    if servers is None:
        raise InvalidInputError(
            "No Kafka brokers are named; give --bootstrap-servers host:port, or set "
            "FEEDBACK_KAFKA_BOOTSTRAP_SERVERS."
        )
    load_mapping(settings.event_mapping)
    load_rules(settings.cleaning_rules)
    source = KafkaSource(servers, tuple(dict.fromkeys(topics)), group, _settings_of(pairs))
    if engine == "spark":
        summary = _by_spark(settings, source, checkpoint, linger, is_until_end=until_end)
        show(_outcome(summary), as_json=as_json)
        return
    lake = Lake(settings.lake_url)
    decode = MessageDecoder(schema_source(settings, lake))
    with _until_told() as stopping:
        summary = KafkaIngestion(
            lake,
            source,
            decode,
            linger=linger,
            is_until_end=until_end,
            is_stopping=stopping.is_set,
        ).run()
    show(_outcome(summary), as_json=as_json)


def _by_spark(
    settings: Settings,
    source: KafkaSource,
    checkpoint: str | None,
    linger: float,
    *,
    is_until_end: bool,
) -> StreamSummary:
    from feedback_platform.ingestion.kafka_spark import KafkaSparkJob  # noqa: PLC0415

    lake = Lake(settings.lake_url)
    spark = replace(settings, engine="spark", spark_driver="in-run")

    def clean() -> None:
        clean_new(
            lake,
            load_rules(settings.cleaning_rules),
            is_sweep=False,
            mapping=load_mapping(settings.event_mapping),
            engine=chosen_engine(spark),
        )

    with _until_told() as stopping:
        return KafkaSparkJob(
            settings,
            source,
            clean,
            checkpoint=checkpoint,
            linger=linger,
            is_until_end=is_until_end,
            is_stopping=stopping.is_set,
        ).run()


@ingest_group.command(
    epilog="Example: feedback-platform ingest kinesis --stream events --from latest"
)
@click.option("--stream", required=True, help="Name of the stream.")
@click.option(
    "--from",
    "start",
    type=click.Choice(["trim-horizon", "latest"]),
    default="trim-horizon",
    show_default=True,
    help="Where to begin with a stream that was never read here.",
)
@_LINGER
@_UNTIL_END
@with_settings
@with_json
def kinesis(
    stream: str,
    start: str,
    linger: float,
    until_end: bool,
    settings: Settings,
    as_json: bool,
) -> None:
    """Read a Kinesis stream of JSON records, all shards, by AWS's own variables.

    How far each shard was stored is kept in the lake. Records that cannot be decoded are put aside
    with their bytes. SIGTERM and Ctrl-C store what was read.
    """
    # boto3 takes half a second to import, which Kafka's users need not wait for.
    from feedback_platform.ingestion.kinesis import KinesisIngestion  # noqa: PLC0415
    from feedback_platform.ingestion.kinesis_client import KinesisClient  # noqa: PLC0415

    load_mapping(settings.event_mapping)
    load_rules(settings.cleaning_rules)
    with _until_told() as stopping:
        summary = KinesisIngestion(
            Lake(settings.lake_url),
            KinesisClient(stream),
            is_from_latest=start == "latest",
            linger=linger,
            is_until_end=until_end,
            is_stopping=stopping.is_set,
        ).run()
    show(_outcome(summary), as_json=as_json)


def _settings_of(pairs: tuple[str, ...]) -> dict[str, str]:
    settings = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not (name.strip() and equals):
            # The value stays out of the message: it may be a password.
            raise InvalidInputError(f"-X {name} has no value; write -X {name or 'name'}=value.")
        settings[name.strip()] = value
    return settings


def _outcome(summary: StreamSummary) -> dict[str, Any]:
    landed = summary.landed
    rate = landed.messages / summary.seconds if summary.seconds else 0.0
    return {
        "messages": landed.messages,
        "undecodable": landed.undecodable,
        "objects": landed.objects,
        "bytes": landed.bytes,
        "seconds": round(summary.seconds, 1),
        "messages_per_second": round(rate),
        "lag": dict(summary.lag),
    }


@contextmanager
def _until_told() -> Iterator[Event]:
    """Yield an event that SIGTERM and Ctrl-C set, and write the platform's log to stderr.

    A second signal ends the process at once, which loses nothing either.
    """
    stopping = Event()
    log = logging.getLogger("feedback_platform")
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    def stop(number: int, _frame: Any) -> None:
        stopping.set()
        signal.signal(number, signal.SIG_DFL)

    try:
        for number in before:
            signal.signal(number, stop)
        yield stopping
    finally:
        for number, handled in before.items():
            signal.signal(number, handled)
        log.removeHandler(handler)
