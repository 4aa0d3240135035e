from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from feedback_platform_tests.installation import Installation
from feedback_platform_tests.services.demo_page_driver import COMMAND, serving
from feedback_platform_tests.services.kafka_broker import KafkaBroker, kafka_broker
from feedback_platform_tests.services.kafka_consumer import no_consumer_left
from feedback_platform_tests.services.processes import (
    CACHE,
    answers,
    free_port,
    required_command,
    run,
    running,
)
from feedback_platform_tests.services.s3_server import s3_server
from feedback_platform_tests.services.segment_collector import (
    SegmentCollector,
    segment_collector,
)

HERE = Path(__file__).parent


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All tests beside this file need services, whether they say so or not."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.services)


@pytest.fixture(scope="session")
def service_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the services of this run keep their data and their logs."""
    return tmp_path_factory.mktemp("services")


@pytest.fixture(scope="session")
def s3_endpoint(service_dir: Path) -> Iterator[str]:
    """A real S3 server, in the place of the imitation that the other tests have."""
    with s3_server(service_dir) as server:
        yield server.endpoint


@pytest.fixture(scope="session")
def kinesis_endpoint(service_dir: Path) -> Iterator[str]:
    """A Kinesis server: moto's, see `kinesis_server.py`."""
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    with running(
        [sys.executable, str(HERE / "kinesis_server.py"), "-H", "127.0.0.1", "-p", str(port)],
        log=service_dir / "kinesis.log",
        is_ready=lambda: answers(f"{address}/moto-api/data.json"),
    ):
        yield address


@pytest.fixture(scope="session")
def kafka(service_dir: Path) -> Iterator[KafkaBroker]:
    """A Kafka broker of this run's own."""
    directory = service_dir / "kafka"
    directory.mkdir()
    with kafka_broker(directory) as broker, no_consumer_left():
        yield broker


@pytest.fixture
def collector(tmp_path: Path) -> Iterator[SegmentCollector]:
    """The API of an empty installation."""
    with segment_collector(tmp_path) as serving:
        yield serving


@pytest.fixture(scope="session")
def segment_sdks() -> Path:
    """Segment's JavaScript libraries, by their lock file, and the programs that use them."""
    return _with_npm_packages("segment_sdks")


@pytest.fixture(scope="session")
def openfeature_sdks() -> Path:
    """OpenFeature's web SDK, by its lock file, and the page that uses it."""
    return _with_npm_packages("openfeature_sdks")


@pytest.fixture(scope="session")
def axe() -> str:
    """The program of axe-core, by its lock file, which looks for barriers on a page."""
    directory = _with_npm_packages("demo_page")
    return (directory / "node_modules" / "axe-core" / "axe.min.js").read_text("utf-8")


@pytest.fixture(scope="session")
def demo_product(service_dir: Path) -> Installation:
    """Everything that `feedback-platform demo` makes, for few users."""
    directory = service_dir / "demo" / "data"
    directory.mkdir(parents=True)
    command = [*COMMAND, "demo", "--users", "300", "--days", "14", "--data-dir", str(directory)]
    run(command, cwd=directory.parent)
    return Installation(directory)


@pytest.fixture(scope="session")
def demo_address(demo_product: Installation) -> Iterator[str]:
    """The server with the demo page."""
    with serving(demo_product.settings.data_dir, {}) as address:
        yield address


def _with_npm_packages(name: str) -> Path:
    directory = CACHE / name
    shutil.copytree(HERE / name, directory, dirs_exist_ok=True)
    npm = required_command("npm", "npm")
    run([npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=directory)
    return directory
