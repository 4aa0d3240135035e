from __future__ import annotations

from collections.abc import Iterator

import dagster as dg
import pytest

from feedback_platform.orchestration.instance import prepare_home
from feedback_platform.orchestration.runs import RunFailedError
from feedback_platform.orchestration.training_gate import (
    BEFORE_TRAINING,
    UnfitDataError,
    refuse_unfit_data,
)
from feedback_platform_tests.installation import Installation

ERROR, WARN = dg.AssetCheckSeverity.ERROR, dg.AssetCheckSeverity.WARN


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


def record(
    instance: dg.DagsterInstance,
    *,
    passed: bool,
    severity: dg.AssetCheckSeverity = ERROR,
    key: dg.AssetCheckKey = BEFORE_TRAINING[1],
) -> None:
    instance.report_runless_asset_event(
        dg.AssetCheckEvaluation(
            asset_key=key.asset_key,
            check_name=key.name,
            passed=passed,
            severity=severity,
            description="confidence: 3 of 9 rows",
        )
    )


def test_without_a_check_nothing_is_refused(instance: dg.DagsterInstance) -> None:
    refuse_unfit_data(instance)


def test_a_warning_refuses_nothing(instance: dg.DagsterInstance) -> None:
    record(instance, passed=False, severity=WARN)

    refuse_unfit_data(instance)


@pytest.mark.parametrize("key", BEFORE_TRAINING)
def test_an_error_refuses_until_the_check_passes_again(
    instance: dg.DagsterInstance, key: dg.AssetCheckKey
) -> None:
    record(instance, passed=False, key=key)

    with pytest.raises(UnfitDataError, match=rf"{key.name} of .*: confidence: 3 of 9 rows\. The"):
        refuse_unfit_data(instance)

    record(instance, passed=True, key=key)
    refuse_unfit_data(instance)


def test_a_check_that_blocks_is_one_that_there_is(definitions: dg.Definitions) -> None:
    assert set(BEFORE_TRAINING) <= definitions.resolve_asset_graph().asset_check_keys


def test_a_training_on_unfit_data_fails_in_those_words_and_registers_nothing(
    copy: Installation,
) -> None:
    prepare_home(copy.settings)
    with dg.DagsterInstance.from_config(str(copy.settings.dagster_home)) as instance:
        record(instance, passed=False)

    with pytest.raises(RunFailedError, match=r"^Nothing was learned: the check"):
        copy.train()

    assert copy.lake.list_keys("models") == []
