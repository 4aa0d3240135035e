from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Timer

import dagster as dg
import polars as pl
import psutil
import pytest

from feedback_platform.adjustment.rules.ledger import ADJUSTMENTS_SCHEMA
from feedback_platform.cleaning import task
from feedback_platform.cleaning.configuration import default_rules
from feedback_platform.cleaning.micro_batch import Portion
from feedback_platform.cleaning.processing import clean_new
from feedback_platform.lake import keys
from feedback_platform.lake.keys import model_file
from feedback_platform.lake.raw import announce_backfill, write_raw_object
from feedback_platform.learning import registry
from feedback_platform.learning.model_version import Lineage
from feedback_platform.learning.training import RECOMMENDER
from feedback_platform.monitoring.drift import DriftEvent, StreamState
from feedback_platform.monitoring.drift_state import list_events, save
from feedback_platform.orchestration import sensors
from feedback_platform.orchestration.jobs import ERASE, PROCESS, PUBLISH_MODELS, TRAIN
from feedback_platform.orchestration.resources import PlatformResource
from feedback_platform.orchestration.runs import PROCESS_TAG, process_identity
from feedback_platform.orchestration.schedules import training_config
from feedback_platform.orchestration.sensors import (
    adjusted_lists_sensor,
    drift_sensor,
    erasure_sensor,
    first_training_sensor,
    growth_sensor,
    micro_batch_sensor,
)
from feedback_platform.privacy.requests import close_request, file_request, record_stuck
from feedback_platform.warehouse.connection import exclusive_warehouse, open_warehouse
from feedback_platform.warehouse.loading import replace_tables
from feedback_platform.warehouse.published import published_through
from feedback_platform.warehouse.publishing import publish
from feedback_platform_tests.installation import Installation
from feedback_platform_tests.orchestration.recorded import (
    record_failure,
    record_run,
    record_success,
)

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
EVENT = b'{"event_id":"%s","event_type":"item_viewed","user_id":"u","item_id":"i"}\n'
DRIFT = DriftEvent(
    event_id="a1",
    stream="click_through",
    method="adwin",
    detected_at=NOON,
    width=1_600,
    before_mean=0.12,
    after_mean=0.0625,
    action="retrain",
)


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


@pytest.fixture
def empty(tmp_path: Path) -> Installation:
    return Installation(tmp_path / "data")


@pytest.fixture(scope="module")
def grown(published: Installation, tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """One piece of feedback more, in a batch of its own."""
    installation = published.copy_to(tmp_path_factory.mktemp("grown") / "data")
    land(installation, "one", NOON + timedelta(days=2))
    installation.process()
    return installation


def ask(
    sensor: dg.SensorDefinition,
    installation: Installation,
    instance: dg.DagsterInstance,
    cursor: str | None = None,
) -> dg.RunRequest | str:
    """One tick: the one run it asks for, or why it asks for none."""
    context = dg.build_sensor_context(
        instance=instance, cursor=cursor, resources={"platform": installation.platform}
    )
    answer = sensor(context)
    if isinstance(answer, dg.SensorResult) and answer.skip_reason:
        answer = answer.skip_reason
    if isinstance(answer, dg.SkipReason):
        return answer.skip_message or ""
    assert isinstance(answer, dg.SensorResult)
    (request,) = answer.run_requests or []
    return request


def asked(answer: dg.RunRequest | str) -> dg.RunRequest:
    assert isinstance(answer, dg.RunRequest), answer
    return answer


def land(installation: Installation, name: str, at: datetime = NOON) -> None:
    write_raw_object(
        installation.lake,
        received_at=at,
        source="test",
        sortable_id=name,
        ndjson=EVENT % name.encode(),
    )


def test_an_empty_lake_starts_nothing(empty: Installation, instance: dg.DagsterInstance) -> None:
    assert ask(micro_batch_sensor, empty, instance) == "Nothing new in the lake."


def test_what_is_published_starts_nothing(
    published: Installation, instance: dg.DagsterInstance
) -> None:
    assert ask(micro_batch_sensor, published, instance) == "Nothing new in the lake."


def test_a_new_raw_object_starts_one_run_however_often_it_is_seen(
    copy: Installation, instance: dg.DagsterInstance
) -> None:
    land(copy, "a", NOON + timedelta(days=2))

    first = asked(ask(micro_batch_sensor, copy, instance))
    second = asked(ask(micro_batch_sensor, copy, instance))

    assert first.tags["new_objects"] == "1"
    assert first.run_key == second.run_key

    land(copy, "b", NOON + timedelta(days=2))
    assert asked(ask(micro_batch_sensor, copy, instance)).run_key != first.run_key


def test_a_tick_that_goes_on_looking_sees_what_lands_meanwhile(
    empty: Installation, instance: dg.DagsterInstance
) -> None:
    platform = PlatformResource.from_settings(empty.settings, watch_seconds=60)
    context = dg.build_sensor_context(instance=instance, resources={"platform": platform})

    landing = Timer(0.1, land, (empty, "a"))
    landing.start()
    answer = micro_batch_sensor(context)

    landing.join()
    assert isinstance(answer, dg.SensorResult)
    assert len(answer.run_requests or []) == 1


@pytest.mark.parametrize(
    "status",
    [dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED],
)
def test_a_run_under_way_is_waited_for(
    empty: Installation, instance: dg.DagsterInstance, status: dg.DagsterRunStatus
) -> None:
    land(empty, "a")
    record_run(instance, status=status)

    assert str(ask(micro_batch_sensor, empty, instance)).startswith("A run is under way")


def test_while_a_run_is_under_way_the_lake_is_not_listed(
    empty: Installation, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was listed before that run ended, it may have cleaned: the next had nothing to do."""
    record_run(instance)

    def listed(*_: object) -> None:
        pytest.fail("the lake was listed")

    monkeypatch.setattr(sensors, "pending_objects", listed)

    assert str(ask(micro_batch_sensor, empty, instance)).startswith("A run is under way")


def test_a_run_takes_one_portion_and_dagster_tries_it_no_second_time(
    empty: Installation, instance: dg.DagsterInstance
) -> None:
    land(empty, "a")

    request = asked(ask(micro_batch_sensor, empty, instance))

    assert request.run_config["ops"]["clean_events"]["config"] == {"portion": True}
    assert request.run_config["ops"]["dbt_models"]["config"] == {"portion": True}
    assert request.tags["dagster/max_retries"] == "0"


def test_a_backlog_is_asked_for_until_it_is_gone_and_no_more(
    copy: Installation, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(task, "PORTION", Portion(objects=2, size=1 << 20))
    for name in ("a", "b", "c"):
        land(copy, name, NOON + timedelta(days=2))
    rows = copy.query("from interaction.interactions").height

    seen = []
    for _ in range(2):
        request = asked(ask(micro_batch_sensor, copy, instance))
        copy.run(PROCESS, request.run_config)
        seen.append(copy.query("from interaction.interactions").height - rows)

    assert seen == [2, 3]
    assert ask(micro_batch_sensor, copy, instance) == "Nothing new in the lake."


def test_an_announcement_that_tells_of_nothing_new_is_not_followed_again(
    copy: Installation, instance: dg.DagsterInstance
) -> None:
    announce_backfill(copy.lake, "import")

    assert ask(micro_batch_sensor, copy, instance) == "Nothing new in the lake."
    assert copy.lake.list_keys(keys.BACKFILLS) == []


def test_a_training_under_way_is_not_waited_for(
    empty: Installation, instance: dg.DagsterInstance
) -> None:
    land(empty, "a")
    record_run(instance, TRAIN)

    asked(ask(micro_batch_sensor, empty, instance))


def test_a_run_whose_process_died_is_not_waited_for(
    empty: Installation, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    land(empty, "a")
    record_run(instance, tags={PROCESS_TAG: "999999999"})
    monkeypatch.setattr(sensors, "FIRST_WAIT", timedelta(0))

    asked(ask(micro_batch_sensor, empty, instance))


def test_after_failures_the_waits_grow_and_the_next_attempt_has_a_key_of_its_own(
    empty: Installation, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    land(empty, "a")
    first = asked(ask(micro_batch_sensor, empty, instance))
    waits = []
    for failures in (1, 2, 3):
        record_failure(instance)
        reason = str(ask(micro_batch_sensor, empty, instance))
        assert reason.startswith(f"The last {failures} runs failed")
        waits.append(int(reason.split()[-2]))
    assert waits == pytest.approx([10, 20, 40], abs=2)

    monkeypatch.setattr(sensors, "FIRST_WAIT", timedelta(0))
    assert asked(ask(micro_batch_sensor, empty, instance)).run_key != first.run_key


def test_after_a_canceled_run_the_same_objects_are_asked_for_again(
    empty: Installation, instance: dg.DagsterInstance
) -> None:
    land(empty, "a")
    first = asked(ask(micro_batch_sensor, empty, instance))
    record_run(instance, status=dg.DagsterRunStatus.CANCELED)

    assert asked(ask(micro_batch_sensor, empty, instance)).run_key != first.run_key


def test_after_many_failures_the_next_attempt_still_has_a_key_of_its_own(
    empty: Installation, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    land(empty, "a")
    monkeypatch.setattr(sensors, "FIRST_WAIT", timedelta(0))
    run_keys = set()
    for _ in range(13):
        record_failure(instance)
        run_keys.add(asked(ask(micro_batch_sensor, empty, instance)).run_key)
    assert len(run_keys) == 13


def test_a_success_ends_the_waiting(empty: Installation, instance: dg.DagsterInstance) -> None:
    land(empty, "a")
    record_failure(instance)
    record_run(instance, status=dg.DagsterRunStatus.SUCCESS)

    asked(ask(micro_batch_sensor, empty, instance))


def test_what_is_clean_but_not_published_starts_a_run(
    empty: Installation, instance: dg.DagsterInstance
) -> None:
    land(empty, "a")
    clean_new(empty.lake, default_rules(), is_sweep=False)

    assert asked(ask(micro_batch_sensor, empty, instance)).tags["new_objects"] == "0"


def publish_drift(installation: Installation, *events: DriftEvent) -> None:
    save(installation.lake, {"click_through": StreamState("click_through")}, events, 1)
    publish_tables(installation, ("metrics", "drift_events"), list_events(installation.lake))


def publish_tables(installation: Installation, name: tuple[str, str], table: pl.DataFrame) -> None:
    settings = installation.settings
    with (
        exclusive_warehouse(settings.warehouse_path),
        open_warehouse(settings.warehouse_path) as warehouse,
    ):
        replace_tables(warehouse, {name: table})
    publish(settings.warehouse_path, settings.published_path, installation.lake)


def test_without_drift_nothing_is_trained(
    empty: Installation, published: Installation, instance: dg.DagsterInstance
) -> None:
    assert ask(drift_sensor, empty, instance) == "Nothing is published yet."
    assert ask(drift_sensor, published, instance) == "No drift."


def test_a_change_that_is_not_published_yet_waits_for_what_training_reads(
    copy: Installation, instance: dg.DagsterInstance
) -> None:
    save(copy.lake, {"click_through": StreamState("click_through")}, [DRIFT], 1)

    assert ask(drift_sensor, copy, instance) == "No drift."


def test_a_drift_event_asks_for_one_training_under_its_own_key(
    copy: Installation, instance: dg.DagsterInstance
) -> None:
    publish_drift(copy, DRIFT)

    request = asked(ask(drift_sensor, copy, instance))

    assert request.run_key == "drift-a1"
    assert request.run_config == training_config("drift")
    assert asked(ask(drift_sensor, copy, instance)).run_key == request.run_key


def test_changes_found_together_ask_for_one_training(
    copy: Installation, instance: dg.DagsterInstance
) -> None:
    later = replace(
        DRIFT, event_id="b2", stream="mean_score", detected_at=NOON + timedelta(hours=1)
    )
    publish_drift(copy, later, DRIFT)

    assert asked(ask(drift_sensor, copy, instance)).run_key == "drift-b2"


def test_lists_are_made_anew_only_for_what_changes_them(
    empty: Installation, published: Installation, instance: dg.DagsterInstance
) -> None:
    assert ask(adjusted_lists_sensor, empty, instance) == "Nothing is published yet."
    assert ask(adjusted_lists_sensor, published, instance) == "No rule has changed the lists."


def test_lists_are_asked_for_until_a_run_has_made_them(
    copy: Installation, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = {name: "x" for name, kind in ADJUSTMENTS_SCHEMA.items() if kind == pl.String}
    hidden = {**texts, "evidence": "{}", "action": "hide_category", "status": "applied", "at": NOON}
    publish_tables(copy, ("metrics", "adjustments"), pl.DataFrame([hidden], ADJUSTMENTS_SCHEMA))

    first = asked(ask(adjusted_lists_sensor, copy, instance))
    record_run(instance, PUBLISH_MODELS)
    assert ask(adjusted_lists_sensor, copy, instance) == "A run is under way."
    instance.report_run_failed(instance.get_runs()[0])
    assert str(ask(adjusted_lists_sensor, copy, instance)).startswith("The last 1 runs failed")
    monkeypatch.setattr(sensors, "FIRST_WAIT", timedelta(0))
    second = asked(ask(adjusted_lists_sensor, copy, instance))
    assert second.run_key != first.run_key
    record_run(instance, PUBLISH_MODELS, status=dg.DagsterRunStatus.SUCCESS, tags={**second.tags})

    assert ask(adjusted_lists_sensor, copy, instance) == "The lists know what rules changed."


def test_a_first_training_waits_for_something_published(
    empty: Installation, instance: dg.DagsterInstance
) -> None:
    assert ask(first_training_sensor, empty, instance) == "Nothing is published yet."


def test_a_first_training_waits_for_enough_feedback(
    published: Installation, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = published.query("from feedback.user_feedback").height
    monkeypatch.setattr(sensors, "FIRST_TRAINING_FEEDBACK", given + 1)

    reason = ask(first_training_sensor, published, instance)

    assert reason == f"{given} of {given + 1} pieces of feedback so far."


def test_enough_feedback_and_no_model_ask_for_one_training(
    published: Installation, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = published.query("from feedback.user_feedback").height
    monkeypatch.setattr(sensors, "FIRST_TRAINING_FEEDBACK", given)

    request = asked(ask(first_training_sensor, published, instance))

    assert request.run_config == training_config("initial")
    # An installation whose release trained another model has asked for that one already.
    assert RECOMMENDER in str(request.run_key)
    assert asked(ask(first_training_sensor, published, instance)).run_key == request.run_key

    record_run(instance, TRAIN)
    assert ask(first_training_sensor, published, instance) == "A training is under way."


def test_where_there_is_a_model_no_first_one_is_asked_for(
    copy: Installation, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sensors, "FIRST_TRAINING_FEEDBACK", 1)
    registry.register(
        copy.lake,
        RECOMMENDER,
        files={"model.npz": b"weights"},
        trained_at=NOON,
        trigger="manual",
        metrics={},
        parameters={},
    )

    assert str(ask(first_training_sensor, copy, instance)).startswith("There are models")


def register_model(installation: Installation, through: int | None, at: datetime = NOON) -> str:
    """A version that knows the batches up to one."""
    version = registry.register(
        installation.lake,
        RECOMMENDER,
        files={"model.npz": b"weights"},
        trained_at=at,
        trigger="manual",
        metrics={},
        parameters={},
        lineage=Lineage(data_through=through),
    )
    return version.version


def batches(installation: Installation) -> list[int]:
    """Those that brought feedback."""
    given = installation.query("select distinct batch_sequence from feedback.user_feedback")
    return sorted(given["batch_sequence"])


def given_in(installation: Installation) -> list[int]:
    """How much feedback each batch brought."""
    counts = installation.query(
        "select batch_sequence, count(*) as given from feedback.user_feedback group by all"
    )
    return counts.sort("batch_sequence")["given"].to_list()


def test_growth_waits_for_a_first_model(
    empty: Installation, published: Installation, instance: dg.DagsterInstance
) -> None:
    nothing = "There is no model yet, or nothing is published."
    assert ask(growth_sensor, empty, instance) == nothing
    assert ask(growth_sensor, published, instance) == nothing


def test_little_new_feedback_trains_nothing(
    grown: Installation,
    tmp_path: Path,
    instance: dg.DagsterInstance,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    installation = grown.copy_to(tmp_path / "data")
    before, new = given_in(installation)
    assert new == 1
    first, second = batches(installation)

    register_model(installation, first)
    monkeypatch.setattr(sensors, "GROWTH", 1.5 / before)
    said = ask(growth_sensor, installation, instance)
    assert said == "1 of 2 new pieces of feedback so far."

    register_model(installation, second, at=NOON + timedelta(hours=1))
    monkeypatch.setattr(sensors, "GROWTH", 1 / (before + new))
    assert ask(growth_sensor, installation, instance) == "0 of 1 new pieces of feedback so far."


def test_enough_new_feedback_asks_for_one_training_after_each_version(
    grown: Installation,
    tmp_path: Path,
    instance: dg.DagsterInstance,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    installation = grown.copy_to(tmp_path / "data")
    version = register_model(installation, batches(installation)[0])
    monkeypatch.setattr(sensors, "GROWTH", 1 / sum(given_in(installation)))

    request = asked(ask(growth_sensor, installation, instance))

    assert request.run_key == f"growth-{version}"
    assert request.run_config == training_config("growth")
    record_run(instance, TRAIN)
    assert ask(growth_sensor, installation, instance) == "A training is under way."


def test_trainings_for_growth_take_a_tenth_of_the_time_at_most(
    copy: Installation, instance: dg.DagsterInstance
) -> None:
    register_model(copy, 0)
    now, minute = datetime.now(UTC), timedelta(minutes=1)

    record_success(instance, TRAIN, began=now - 10 * minute, ended=now - 8 * minute)
    reason = ask(growth_sensor, copy, instance)
    assert isinstance(reason, str)
    assert re.fullmatch(
        r"The last training was long: the next for growth is due in (599|600) s\.", reason
    )

    record_success(instance, TRAIN, began=now - 12 * minute, ended=now - 10.9 * minute)
    asked(ask(growth_sensor, copy, instance))


def test_growth_is_looked_at_once_for_each_publication(
    copy: Installation, instance: dg.DagsterInstance
) -> None:
    version = register_model(copy, 0)
    through = published_through(copy.platform.settings.published_path)
    asked(ask(growth_sensor, copy, instance))

    again = ask(growth_sensor, copy, instance, cursor=f"{version}:{through}")

    assert again == "Nothing was published since."


def test_a_model_that_does_not_say_what_it_knows_leaves_growth_to_the_night(
    copy: Installation, instance: dg.DagsterInstance
) -> None:
    silent = "The newest model does not say what it knows; the nightly one will."
    version = register_model(copy, None)
    assert ask(growth_sensor, copy, instance) == silent

    record = model_file(RECOMMENDER, version, registry.VERSION_FILE)
    copy.lake.put(record, b"{", mode="overwrite")
    assert ask(growth_sensor, copy, instance) == silent


def test_a_request_to_be_erased_starts_one_run_that_names_nobody(
    empty: Installation, instance: dg.DagsterInstance
) -> None:
    assert ask(erasure_sensor, empty, instance) == "Nobody asks to be erased."
    request = file_request(empty.lake, ["person-who-leaves"], now=NOON)

    first = asked(ask(erasure_sensor, empty, instance))

    assert asked(ask(erasure_sensor, empty, instance)).run_key == first.run_key
    assert "person-who-leaves" not in repr(first)
    record_run(instance, ERASE, tags={PROCESS_TAG: process_identity(psutil.Process())})
    assert ask(erasure_sensor, empty, instance) == "A run is under way."
    close_request(empty.lake, request.request_id)
    assert ask(erasure_sensor, empty, instance) == "Nobody asks to be erased."


def test_a_request_that_cannot_be_carried_out_is_tried_again_ever_more_slowly(
    empty: Installation, instance: dg.DagsterInstance
) -> None:
    file_request(empty.lake, ["person-who-leaves"], now=NOON)
    record_failure(instance, ERASE)

    assert "The last 1 runs failed" in str(ask(erasure_sensor, empty, instance))


def test_what_a_proof_has_failed_waits_for_a_person_or_another_request(
    empty: Installation, instance: dg.DagsterInstance
) -> None:
    request = file_request(empty.lake, ["person-who-leaves"], now=NOON)
    record_stuck(empty.lake, [request], in_tables=False)

    assert "run `feedback-platform erase`" in str(ask(erasure_sensor, empty, instance))

    file_request(empty.lake, ["another-who-leaves"], now=NOON)
    asked(ask(erasure_sensor, empty, instance))
