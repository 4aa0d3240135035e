from __future__ import annotations

from pathlib import Path

import pytest

from feedback_platform_tests.cli.conftest import Run
from feedback_platform_tests.cli.test_mistakes import the_line


@pytest.fixture(autouse=True)
def without_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "FEEDBACK_KAFKA_BOOTSTRAP_SERVERS",
        "FEEDBACK_EVENT_MAPPING",
        "FEEDBACK_CLEANING_RULES",
    ):
        monkeypatch.delenv(name, raising=False)


def test_kafka_without_brokers(run: Run) -> None:
    line = the_line(run("ingest", "kafka", "--topic", "events"))
    assert "FEEDBACK_KAFKA_BOOTSTRAP_SERVERS" in line
    assert "--bootstrap-servers" in line


@pytest.mark.parametrize(
    ("pair", "text"),
    [
        ("security.protocol", "write -X security.protocol=value"),
        ("=secret", "write -X name=value"),
        ("no.such.thing=1", 'No such configuration property: "no.such.thing"'),
        ("enable.auto.commit=true", "-X enable.auto.commit cannot be set"),
        ("session.timeout.ms=soon", "session.timeout.ms"),
    ],
)
def test_a_setting_of_kafka_that_cannot_be_used(run: Run, pair: str, text: str) -> None:
    command = ("ingest", "kafka", "--topic", "events", "--bootstrap-servers", "127.0.0.1:9")
    line = the_line(run(*command, "-X", pair))
    assert text in line
    assert "secret" not in line


def test_a_mapping_that_is_not_there(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FEEDBACK_EVENT_MAPPING", "nowhere.toml")
    line = the_line(run("ingest", "kinesis", "--stream", "events"))
    assert "nowhere.toml" in line


def test_cleaning_rules_that_mean_nothing(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    rules = tmp_path / "rules.toml"
    rules.write_text('[signals.view]\nevent_type = "seen"')
    monkeypatch.setenv("FEEDBACK_CLEANING_RULES", str(rules))
    line = the_line(run("ingest", "kinesis", "--stream", "events"))
    assert f"{rules}: [signals.view] event_type is 'seen'; it accepts" in line


def test_kinesis_without_credentials(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    finished = run("ingest", "kinesis", "--stream", "events")
    assert "Kinesis cannot be asked without credentials" in the_line(finished)


def test_kinesis_begins_at_one_of_two_places(run: Run) -> None:
    finished = run("ingest", "kinesis", "--stream", "events", "--from", "tomorrow")
    assert finished.code == 2
    assert "'trim-horizon', 'latest'" in finished.errors
