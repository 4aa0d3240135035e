"""A Kafka broker in KRaft mode, its own controller, from the jars of Maven Central."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

from confluent_kafka import KafkaException
from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    NewTopic,
    ResourcePatternType,
    ResourceType,
)

from feedback_platform_tests.services.maven import fetched_jars
from feedback_platform_tests.services.processes import (
    free_port,
    required_command,
    run,
    running,
)

POM: Final = Path(__file__).parent / "kafka" / "pom.xml"
USER: Final = "reader"
PASSWORD: Final = "reader-secret"  # noqa: S105 - known to the broker of one test run
# No test may find this id in use: each broker has a directory of its own.
CLUSTER_ID: Final = "ZmVlZGJhY2stcGxhdGZvcg"
_PLAIN_LOGIN: Final = "org.apache.kafka.common.security.plain.PlainLoginModule"


@dataclass(frozen=True)
class KafkaBroker:
    """A broker that runs.

    Attributes:
        servers: where anybody is let in.
        sasl_servers: where only USER is let in, by PASSWORD.
    """

    servers: str
    sasl_servers: str

    @property
    def admin(self) -> AdminClient:
        return AdminClient({"bootstrap.servers": self.servers})

    def new_topic(self, name: str, partitions: int = 1) -> str:
        """Create a topic; return its name, which nothing else has."""
        topic = f"{name}-{uuid4().hex[:8]}"
        self.create_topic(topic, partitions)
        return topic

    def create_topic(self, topic: str, partitions: int) -> None:
        _done(admin := self.admin, admin.create_topics([NewTopic(topic, partitions, 1)]))

    def delete_topic(self, topic: str) -> None:
        _done(admin := self.admin, admin.delete_topics([topic]))

    def forbid(self, topic: str) -> None:
        """Take from USER the right to read a topic."""
        binding = AclBinding(
            ResourceType.TOPIC,
            topic,
            ResourcePatternType.LITERAL,
            f"User:{USER}",
            "*",
            AclOperation.READ,
            AclPermissionType.DENY,
        )
        _done(admin := self.admin, admin.create_acls([binding]))


@contextmanager
def kafka_broker(directory: Path) -> Iterator[KafkaBroker]:
    """Start a broker and wait until it answers; end it at the end.

    Args:
        directory: an empty one, for its data, settings and log.

    Raises:
        ServiceError: it cannot be started.
    """
    java = required_command("java", "default-jre-headless")
    classpath = f"{fetched_jars(POM)}/*"
    settings = directory / "server.properties"
    broker = KafkaBroker(f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}")
    settings.write_text(_settings(broker, directory / "data"))
    run(
        [
            java,
            "-Xmx256m",
            "-XX:TieredStopAtLevel=1",
            "-cp",
            classpath,
            "kafka.tools.StorageTool",
            "format",
            "--cluster-id",
            CLUSTER_ID,
            "--config",
            str(settings),
        ],
        cwd=directory,
    )
    with running(
        [java, "-Xmx512m", "-cp", classpath, "kafka.Kafka", str(settings)],
        log=directory / "kafka.log",
        is_ready=lambda: _answers(broker),
        cwd=directory,
    ):
        yield broker


def _done(_admin: AdminClient, futures: Mapping[Any, Future[Any]]) -> None:
    """Wait for what was asked; the client is here so that it lives until then."""
    for future in futures.values():
        future.result(30)


def _answers(broker: KafkaBroker) -> bool:
    quiet = AdminClient({"bootstrap.servers": broker.servers, "log_level": 0})
    try:
        return bool(quiet.list_topics(timeout=2).brokers)
    except KafkaException:
        return False


def _settings(broker: KafkaBroker, data: Path) -> str:
    controller = f"127.0.0.1:{free_port()}"
    settings = {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.voters": f"1@{controller}",
        "listeners": f"PLAINTEXT://{broker.servers},SASL://{broker.sasl_servers},"
        f"CONTROLLER://{controller}",
        "advertised.listeners": f"PLAINTEXT://{broker.servers},SASL://{broker.sasl_servers}",
        "controller.listener.names": "CONTROLLER",
        "inter.broker.listener.name": "PLAINTEXT",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,SASL:SASL_PLAINTEXT,"
        "CONTROLLER:PLAINTEXT",
        "sasl.enabled.mechanisms": "PLAIN",
        "listener.name.sasl.plain.sasl.jaas.config": f"{_PLAIN_LOGIN} required "
        f'user_{USER}="{PASSWORD}";',
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": "User:ANONYMOUS",
        "allow.everyone.if.no.acl.found": "true",
        "auto.create.topics.enable": "false",
        "log.dirs": str(data),
        # One broker holds the only copy of everything.
        "offsets.topic.replication.factor": "1",
        "offsets.topic.num.partitions": "1",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "transaction.state.log.num.partitions": "1",
        "share.coordinator.state.topic.replication.factor": "1",
        "share.coordinator.state.topic.min.isr": "1",
        # Members come, go and are killed many times in a test.
        "group.initial.rebalance.delay.ms": "0",
        "group.min.session.timeout.ms": "500",
    }
    return "".join(f"{name}={value}\n" for name, value in settings.items())
