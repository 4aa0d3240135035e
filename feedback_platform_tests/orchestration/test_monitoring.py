from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from feedback_platform.lake.batches import latest_manifest
from feedback_platform.learning.freezes import standing
from feedback_platform.learning.training import RECOMMENDER
from feedback_platform.monitoring.alerts.book import Kind, News, what_changed
from feedback_platform.monitoring.alerts.ledger import AlertLedger, read_alerts
from feedback_platform.monitoring.drift import DriftEvent
from feedback_platform.monitoring.drift_state import keep_events, load_states
from feedback_platform.orchestration import jobs, keys
from feedback_platform.orchestration.alert_sensors import alert_sensor, run_failure_sensor
from feedback_platform.orchestration.assets.monitoring import monitoring
from feedback_platform.orchestration.resources import PlatformResource
from feedback_platform_tests.installation import Installation
from feedback_platform_tests.monitoring.alerts.found import DRIFT, NOON
from feedback_platform_tests.orchestration.recorded import record_run


@dg.op
def refuse() -> None:
    raise dg.Failure("The store\ndoes not answer.", allow_retries=False)


@dg.job(name=jobs.PROCESS)
def failing() -> None:
    refuse()


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


@pytest.fixture(autouse=True)
def _nobody_but_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("WEBHOOK_URL", "WEBHOOK_SECRET", "SLACK_URL"):
        monkeypatch.delenv(f"FEEDBACK_ALERT_{name}", raising=False)


def tick(
    platform: PlatformResource, instance: dg.DagsterInstance, cursor: str | None = None
) -> dg.SensorResult:
    context = dg.build_sensor_context(
        instance=instance, cursor=cursor, resources={"platform": platform}
    )
    answer: Any = alert_sensor(context)
    assert isinstance(answer, dg.SensorResult)
    return answer


def standing_alerts(installation: Installation) -> dict[tuple[str, str], str]:
    return {
        (alert.condition.kind.value, alert.condition.subject): alert.condition.message
        for alert in read_alerts(installation.lake).standing
    }


def test_a_micro_batch_moves_every_stream_that_has_something_in_it(
    published: Installation,
) -> None:
    states = load_states(published.lake).streams

    assert {"click_through", "mean_score", "score_spread", "rating_mean", "dwell"} <= states.keys()
    assert all(state.position > 0 for state in states.values())
    for table in ("drift_events", "feature_drift", "alerts"):
        assert published.query(f"from metrics.{table}").is_empty()


def test_a_change_that_freezes_does_so_once_and_is_seen_in_the_tables(
    copy: Installation,
) -> None:
    newest = copy.query("select max(occurred_at) as at from interaction.interactions")["at"].item()
    event = DriftEvent(
        "a1", "dwell", "adwin", newest - timedelta(hours=1), 400, 0.5, 0.2, "freeze_promotion"
    )
    former = replace(event, event_id="a0", detected_at=newest - timedelta(days=4))
    keep_events(copy.lake, [event, former])
    ledger = AlertLedger(copy.lake)
    ledger.write(lambda book: what_changed(book, [DRIFT], list(Kind), NOON))

    for _ in range(2):
        result = dg.materialize([monitoring], resources={"platform": copy.platform})
    events = [event.materialization for event in result.get_asset_materialization_events()]
    made = {event.asset_key: event for event in events}

    assert made[keys.DRIFT_EVENTS].metadata["known"].value == 2
    assert made[keys.ALERTS].metadata["standing"].value == 1
    now = datetime.now(UTC)
    frozen = standing(copy.lake, RECOMMENDER, now)
    assert frozen is not None
    assert frozen.cause == "a1"
    assert frozen.reason.startswith("dwell changed from 0.5 to 0.2, noticed with the events of")
    assert timedelta(days=2, hours=23) < frozen.until - now <= timedelta(days=3)


def test_a_mistake_in_the_rules_stops_watching_and_not_what_is_published_behind_it(
    copy: Installation, tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    path = tmp_path / "own.toml"
    path.write_text("[drif]\n")
    mistaken = PlatformResource.from_settings(replace(copy.settings, monitoring_rules=path))

    assert dg.materialize([monitoring], resources={"platform": mistaken}).success
    assert "did you mean 'drift'" in str(tick(mistaken, instance).skip_reason)


def test_a_run_that_fails_is_told_of_until_one_succeeds(
    copy: Installation, instance: dg.DagsterInstance
) -> None:
    result = failing.execute_in_process(instance=instance, raise_on_error=False)
    context = dg.build_run_status_sensor_context(
        sensor_name="run_failure_sensor",
        dagster_instance=instance,
        dagster_run=result.dagster_run,
        dagster_event=result.get_run_failure_event(),
        resources={"platform": copy.platform},
    ).for_run_failure()
    for _ in range(2):
        run_failure_sensor(context)

    (alert,) = read_alerts(copy.lake).standing
    assert (alert.condition.kind, alert.condition.subject) == (Kind.RUN_FAILURE, "process")
    assert alert.condition.message == (
        f"The run {result.run_id[:8]} failed. The store does not answer."
    )
    assert alert.tellings["log"].told is News.RAISED

    tick(copy.platform, instance)
    assert ("run_failure", "process") in standing_alerts(copy)

    record_run(instance, status=dg.DagsterRunStatus.SUCCESS)
    tick(copy.platform, instance)
    assert ("run_failure", "process") not in standing_alerts(copy)
    assert read_alerts(copy.lake).alerts[alert.alert_id].tellings["log"].told is News.RESOLVED


def test_a_failure_that_the_sensor_missed_is_found_by_the_clock(
    copy: Installation, instance: dg.DagsterInstance
) -> None:
    failing.execute_in_process(instance=instance, raise_on_error=False)

    tick(copy.platform, instance)

    assert "does not answer" in standing_alerts(copy)["run_failure", "process"]


def test_the_tables_are_looked_at_once_for_each_state_of_them(
    copy: Installation, instance: dg.DagsterInstance
) -> None:
    latest = latest_manifest(copy.lake)
    assert latest is not None
    AlertLedger(copy.lake).write(lambda book: what_changed(book, [DRIFT], list(Kind), NOON))

    answer = tick(copy.platform, instance, cursor=str(latest.sequence))
    assert answer.cursor == str(latest.sequence)
    assert ("drift", "click_through") in standing_alerts(copy)

    tick(copy.platform, instance, cursor="0")
    assert ("drift", "click_through") not in standing_alerts(copy)
    # The simulation is of another year, and nothing came since: an import is no silence.
    assert standing_alerts(copy) == {}


def test_before_anything_is_published_only_runs_can_be_wrong(
    tmp_path: Path, instance: dg.DagsterInstance
) -> None:
    empty = Installation(tmp_path / "data")

    answer = tick(empty.platform, instance)

    assert answer.skip_reason is not None
    assert answer.skip_reason.skip_message == "Nothing is wrong."
