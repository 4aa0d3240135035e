from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from feedback_platform.emr_serverless import EmrServerless
from feedback_platform.errors import InvalidSettingError, PermanentError
from feedback_platform.settings import (
    alert_receivers,
    checked_endpoint,
    checked_lake_url,
    dagster_environment,
    load_settings,
)


def test_without_any_variable_everything_lies_under_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    settings = load_settings(environment={})

    assert settings.data_dir == tmp_path / "data"
    assert settings.lake_url == (tmp_path / "data" / "lake").as_uri()
    assert settings.warehouse_path == tmp_path / "data" / "warehouse" / "warehouse.duckdb"
    assert settings.published_path == tmp_path / "data" / "published" / "feedback.duckdb"
    assert settings.dagster_home == tmp_path / "data" / "dagster"
    assert settings.dbt_target_dir == tmp_path / "data" / "dbt"
    assert settings.cache_dir == tmp_path / "data" / "cache"


def test_an_empty_variable_counts_as_absent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    settings = load_settings(environment={"FEEDBACK_DATA_DIR": "", "FEEDBACK_LAKE_URL": ""})

    assert settings == load_settings(environment={})


def test_the_variable_names_the_data_directory(tmp_path: Path) -> None:
    environment = {"FEEDBACK_DATA_DIR": str(tmp_path / "here")}

    assert load_settings(environment=environment).data_dir == tmp_path / "here"


def test_the_option_wins_over_the_variable(tmp_path: Path) -> None:
    environment = {"FEEDBACK_DATA_DIR": str(tmp_path / "variable")}

    settings = load_settings(tmp_path / "option", environment)

    assert settings.data_dir == tmp_path / "option"


def test_the_process_environment_is_read_when_none_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FEEDBACK_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("FEEDBACK_LAKE_URL", "s3://bucket")

    assert load_settings().lake_url == "s3://bucket"
    assert load_settings().data_dir == tmp_path


def test_a_home_directory_is_expanded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))

    settings = load_settings(environment={"FEEDBACK_DATA_DIR": "~/feedback"})

    assert settings.data_dir == tmp_path / "feedback"


@pytest.mark.parametrize(
    ("url", "normal"),
    [
        ("s3://bucket", "s3://bucket"),
        ("s3://bucket/prefix/", "s3://bucket/prefix"),
        ("gs://bucket/a/b", "gs://bucket/a/b"),
        ("file:///srv/lake", "file:///srv/lake"),
        ("/srv/my lake", "file:///srv/my%20lake"),
    ],
)
def test_a_lake_url_has_one_normal_form(url: str, normal: str) -> None:
    assert checked_lake_url(url) == normal


def test_a_relative_lake_directory_is_made_absolute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    assert checked_lake_url("lake") == (tmp_path / "lake").as_uri()


@pytest.mark.parametrize("url", ["ftp://host/lake", "s3://", "s3:///prefix", "gs:bucket"])
def test_a_bad_lake_url_names_the_variable_and_what_it_accepts(url: str) -> None:
    with pytest.raises(InvalidSettingError) as caught:
        load_settings(environment={"FEEDBACK_LAKE_URL": url})

    assert caught.value.name == "FEEDBACK_LAKE_URL"
    assert caught.value.value == url
    assert str(caught.value) == (
        f"FEEDBACK_LAKE_URL is {url!r}, but it accepts "
        "a directory, or a URL such as s3://bucket/prefix or gs://bucket/prefix."
    )


def test_polars_cleans_unless_spark_is_chosen() -> None:
    assert load_settings(environment={}).engine == "polars"
    assert load_settings(environment={"FEEDBACK_ENGINE": "spark"}).engine == "spark"


def test_an_engine_that_there_is_not_is_refused() -> None:
    with pytest.raises(InvalidSettingError, match=r"FEEDBACK_ENGINE is .flink.*polars or spark"):
        load_settings(environment={"FEEDBACK_ENGINE": "flink"})


ON_EMR: Final = {
    "FEEDBACK_ENGINE": "spark",
    "FEEDBACK_SPARK_DRIVER": "emr-serverless",
    "FEEDBACK_LAKE_URL": "s3://bucket/lake",
    "FEEDBACK_EMR_APPLICATION_ID": "00f1r3abcd",
    "FEEDBACK_EMR_EXECUTION_ROLE": "arn:aws:iam::123456789012:role/jobs/feedback",
    "FEEDBACK_EMR_ENTRY_POINT": "s3://code/cleaning.py",
    "FEEDBACK_EMR_MESSAGES_URL": "s3://messages/pipes",
}


def test_spark_cleans_in_the_run_unless_another_place_is_chosen() -> None:
    assert load_settings(environment={}).spark_driver == "in-run"
    chosen = {"FEEDBACK_ENGINE": "spark", "FEEDBACK_SPARK_DRIVER": "process"}
    assert load_settings(environment=chosen).spark_driver == "process"
    assert load_settings(environment=chosen).emr_serverless is None
    assert load_settings(environment=chosen).has_spark_here
    assert not load_settings(environment=ON_EMR).has_spark_here
    assert not load_settings(environment={}).has_spark_here
    assert load_settings(environment=ON_EMR).emr_serverless == EmrServerless(
        "00f1r3abcd",
        "arn:aws:iam::123456789012:role/jobs/feedback",
        "s3://code/cleaning.py",
        "s3://messages/pipes",
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *((name, "") for name in ON_EMR if name != "FEEDBACK_SPARK_DRIVER"),
        ("FEEDBACK_SPARK_DRIVER", "yarn"),
        ("FEEDBACK_EMR_APPLICATION_ID", "my application"),
        ("FEEDBACK_EMR_EXECUTION_ROLE", "feedback"),
        ("FEEDBACK_EMR_ENTRY_POINT", "/opt/cleaning.py"),
        ("FEEDBACK_EMR_MESSAGES_URL", "s3://"),
        ("FEEDBACK_EMR_LOGS_URL", "logs"),
        ("FEEDBACK_EMR_SPARK_PARAMETERS", "spark.executor.memory=8g"),
    ],
)
def test_what_emr_serverless_lacks_is_named_before_anything_starts(name: str, value: str) -> None:
    with pytest.raises(InvalidSettingError) as caught:
        load_settings(environment=ON_EMR | {name: value})

    # Without Spark there is nothing to place.
    named = "FEEDBACK_SPARK_DRIVER" if name == "FEEDBACK_ENGINE" else name
    assert caught.value.name == named


def test_duckdb_is_the_warehouse_unless_another_is_chosen() -> None:
    assert load_settings(environment={}).warehouse == "duckdb"
    assert load_settings(environment={"FEEDBACK_WAREHOUSE": "spark"}).warehouse == "spark"
    with pytest.raises(
        InvalidSettingError, match=r"accepts duckdb or spark or snowflake or bigquery"
    ):
        load_settings(environment={"FEEDBACK_WAREHOUSE": "oracle"})


def test_k_means_groups_users_unless_another_way_is_chosen() -> None:
    assert load_settings(environment={}).segmentation == "k-means"
    assert load_settings(environment={"FEEDBACK_SEGMENTATION": "ward"}).segmentation == "ward"
    with pytest.raises(InvalidSettingError, match=r"accepts k-means or ward or strongest"):
        load_settings(environment={"FEEDBACK_SEGMENTATION": "dbscan"})


def test_a_twentieth_of_the_first_places_explores_unless_told_otherwise() -> None:
    assert load_settings(environment={}).exploration_share == 0.05
    chosen = {"FEEDBACK_EXPLORATION_SHARE": "0"}
    assert load_settings(environment=chosen).exploration_share == 0
    for bad in ("0.2", "-1", "nan", "much"):
        with pytest.raises(InvalidSettingError, match=r"from 0 to 0\.1"):
            load_settings(environment={"FEEDBACK_EXPLORATION_SHARE": bad})


def test_a_data_directory_that_is_a_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()

    with pytest.raises(InvalidSettingError, match=r"FEEDBACK_DATA_DIR is .* accepts a directory"):
        load_settings(environment={"FEEDBACK_DATA_DIR": str(file)})


def test_a_bad_setting_is_not_worth_a_retry() -> None:
    assert issubclass(InvalidSettingError, PermanentError)


def test_dagster_gets_the_same_settings(tmp_path: Path) -> None:
    chosen = {
        "FEEDBACK_LAKE_URL": "s3://bucket",
        "FEEDBACK_ENGINE": "spark",
        "FEEDBACK_WAREHOUSE": "spark",
        "FEEDBACK_SEGMENTATION": "ward",
        "FEEDBACK_EXPLORATION_SHARE": "0.02",
    }
    settings = load_settings(tmp_path, chosen)

    environment = dagster_environment(settings)

    assert load_settings(environment=environment) == settings
    assert environment["DAGSTER_HOME"] == str(tmp_path / "dagster")
    assert "PATH" in environment


def test_dagster_gets_the_same_place_for_spark(tmp_path: Path) -> None:
    logs = {"FEEDBACK_EMR_LOGS_URL": "s3://logs", "FEEDBACK_EMR_SPARK_PARAMETERS": "--conf a=b"}
    settings = load_settings(tmp_path, ON_EMR | logs)

    assert load_settings(environment=dagster_environment(settings)) == settings


def test_without_any_variable_nobody_needs_a_key() -> None:
    settings = load_settings(environment={})

    assert settings.write_keys == {}
    assert settings.api_keys == {}
    assert settings.user_token_secrets == ()
    assert settings.events_per_second is None
    assert settings.event_mapping is None
    assert settings.cleaning_rules is None
    assert settings.gate_rules is None
    assert settings.schema_registry_url is None
    assert settings.compute_logs_url is None
    assert settings.dagster_database_url is None
    assert settings.dagster_config is None


def test_keys_have_the_names_they_were_given_or_their_number() -> None:
    environment = {"FEEDBACK_WRITE_KEYS": "web:4f9c2e81, plain/+=_-", "FEEDBACK_API_KEYS": "x"}

    settings = load_settings(environment=environment)

    assert settings.write_keys == {"web": "4f9c2e81", "key-2": "plain/+=_-"}
    assert settings.api_keys == {"key-1": "x"}


def test_what_no_log_may_show_is_known() -> None:
    environment = {
        "FEEDBACK_WRITE_KEYS": "web:4f9c2e81",
        "FEEDBACK_API_KEYS": "x",
        "FEEDBACK_WEBHOOK_URL": "https://hooks.example/1",
        "FEEDBACK_WEBHOOK_SECRET": "a-secret-of-32-characters-at-all",
        "FEEDBACK_ALERT_WEBHOOK_URL": "https://hooks.example/2",
        "FEEDBACK_ALERT_WEBHOOK_SECRET": "another-secret-of-32-characters",
        "FEEDBACK_ALERT_SLACK_URL": "https://hooks.example/T0/91ce",
    }
    assert set(load_settings(environment=environment).secrets) == {
        "4f9c2e81",
        "x",
        "a-secret-of-32-characters-at-all",
        "another-secret-of-32-characters",
        "https://hooks.example/T0/91ce",
    }
    assert load_settings(environment={}).secrets == ()


@pytest.mark.parametrize("keys", ["a:b:c", "Web:abc", "one two", "web:a,web:b", "a:same,b:same"])
def test_malformed_keys_are_refused_without_showing_them(keys: str) -> None:
    with pytest.raises(InvalidSettingError, match="FEEDBACK_WRITE_KEYS") as refused:
        load_settings(environment={"FEEDBACK_WRITE_KEYS": keys})

    assert keys not in str(refused.value)


def test_users_tokens_have_a_secret_and_for_a_while_two() -> None:
    new, old = "n" * 32, "o" * 200

    one = load_settings(environment={"FEEDBACK_USER_TOKEN_SECRET": new})
    two = load_settings(environment={"FEEDBACK_USER_TOKEN_SECRET": f"{new}, {old}"})

    assert one.user_token_secrets == (new,)
    assert two.user_token_secrets == (new, old)


@pytest.mark.parametrize(
    "secret",
    [
        "n" * 31,
        "n" * 201,
        f"{'n' * 16} {'n' * 16}",
        "\u00fc" * 32,
        f"{'n' * 32},",
        "n" * 32 + "\udcff",
        f"{'n' * 32},{'n' * 32}",
        ",".join(letter * 32 for letter in "nop"),
    ],
)
def test_a_secret_of_tokens_that_could_be_guessed_is_refused_without_showing_it(
    secret: str,
) -> None:
    with pytest.raises(InvalidSettingError, match="FEEDBACK_USER_TOKEN_SECRET is '…'") as refused:
        load_settings(environment={"FEEDBACK_USER_TOKEN_SECRET": secret})

    assert secret not in str(refused.value)


def test_the_settings_do_not_print_their_secrets() -> None:
    environment = {
        "FEEDBACK_USER_TOKEN_SECRET": "7c3e" * 8,
        "FEEDBACK_WRITE_KEYS": "web:4f9c2e81",
        "FEEDBACK_API_KEYS": "5d0a77b3",
        "FEEDBACK_SCHEMA_REGISTRY_URL": "https://reader:91ce04d2@registry.example",
    }

    shown = repr(load_settings(environment=environment))

    assert "7c3e" not in shown
    assert "4f9c2e81" not in shown
    assert "5d0a77b3" not in shown
    assert "91ce04d2" not in shown


@pytest.mark.parametrize(
    ("name", "url", "shown"),
    [
        ("FEEDBACK_SCHEMA_REGISTRY_URL", "htps://reader:91ce04d2@reg:8081", "htps://reg:8081"),
        ("FEEDBACK_SCHEMA_REGISTRY_URL", "https:/reader:91ce04d2@reg", "reg"),
        ("FEEDBACK_SCHEMA_REGISTRY_URL", "reader:91ce04d2@reg", "reg"),
        ("FEEDBACK_SCHEMA_REGISTRY_URL", "https://reader:91ce04d2@[::1", "https://[::1"),
        ("FEEDBACK_SCHEMA_REGISTRY_URL", "https://91ce04d2\u2100@reg", "https://reg"),
        ("FEEDBACK_LAKE_URL", "s3://AKIA:91ce04d2@bucket/p", "s3://bucket/p"),
        ("FEEDBACK_LAKE_URL", "s3://AKIA:91/ce04d2@bucket/p", "s3://bucket/p"),
        ("FEEDBACK_LAKE_URL", "s3x://AKIA:91ce04d2@bucket/p", "s3x://bucket/p"),
        ("FEEDBACK_LAKE_URL", "s3://AKIA:91ce@04d2@[bucket", "s3://[bucket"),
        ("FEEDBACK_COMPUTE_LOGS_URL", "s3://AKIA:91ce04d2@bucket/p", "s3://bucket/p"),
        ("FEEDBACK_COMPUTE_LOGS_URL", "s3x://AKIA:91ce04d2@bucket/p", "s3x://bucket/p"),
    ],
)
def test_a_url_that_is_refused_is_shown_without_its_credentials(
    name: str, url: str, shown: str
) -> None:
    with pytest.raises(InvalidSettingError) as refused:
        load_settings(environment={name: url})

    assert refused.value.value == shown
    assert str(refused.value).startswith(f"{name} is {shown!r}, but it accepts")
    assert refused.value.__cause__ is None


def test_an_endpoint_of_aws_holds_no_credentials() -> None:
    assert checked_endpoint("http://127.0.0.1:9000") == "http://127.0.0.1:9000"
    with pytest.raises(InvalidSettingError, match=r"AWS_ENDPOINT_URL is 'http://127\.0\.0\.1'"):
        checked_endpoint("http://reader:91ce04d2@127.0.0.1")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("FEEDBACK_EVENTS_PER_SECOND", "0"),
        ("FEEDBACK_EVENTS_PER_SECOND", "nan"),
        ("FEEDBACK_EVENTS_PER_SECOND", "many"),
        ("FEEDBACK_SCHEMA_REGISTRY_URL", "localhost:8081"),
        ("FEEDBACK_LOG_FORMAT", "xml"),
        ("FEEDBACK_RUN_LAUNCHER", "cold"),
        ("FEEDBACK_COMPUTE_LOGS_URL", "gs://bucket"),
        ("FEEDBACK_COMPUTE_LOGS_URL", "s3:///prefix"),
    ],
)
def test_a_value_that_is_not_accepted_is_named(name: str, value: str) -> None:
    with pytest.raises(InvalidSettingError, match=f"{name} is '{value}', but it accepts"):
        load_settings(environment={name: value})


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://dagster:91ce04d2@host/dagster",
        "postgresql://dagster@host/dagster?password=91ce04d2",
        "postgresql://dagster:91ce/04d2@host/dagster",
        "postgresql://dagster@host",
        "postgresql://host/dagster",
        "postgresql://dagster@host:port/dagster",
        "postgresql://dagster@[host/dagster",
        "postgres://dagster@host/dagster",
        "mysql://dagster@host/dagster",
        "postgresql://dagster@host/dag ster",
    ],
)
def test_dagsters_database_is_named_without_a_password(url: str) -> None:
    with pytest.raises(InvalidSettingError, match="PGPASSWORD") as refused:
        load_settings(environment={"FEEDBACK_DAGSTER_DATABASE_URL": url})

    assert "91ce" not in str(refused.value)
    assert refused.value.__cause__ is None


def test_addresses_lose_the_slash_at_their_end() -> None:
    environment = {
        "FEEDBACK_SCHEMA_REGISTRY_URL": "https://registry.example/",
        "FEEDBACK_COMPUTE_LOGS_URL": "s3://bucket/logs/",
        "FEEDBACK_DAGSTER_DATABASE_URL": "postgresql://dagster@db:5433/runs?sslmode=verify-full",
        "FEEDBACK_EVENTS_PER_SECOND": "2500",
    }

    settings = load_settings(environment=environment)

    assert settings.schema_registry_url == "https://registry.example"
    assert settings.compute_logs_url == "s3://bucket/logs"
    assert settings.dagster_database_url is not None
    assert settings.dagster_database_url.endswith("@db:5433/runs?sslmode=verify-full")
    assert settings.events_per_second == 2500.0


def test_a_webhook_has_an_address_and_a_secret_and_shows_neither() -> None:
    given = {
        "FEEDBACK_WEBHOOK_URL": "https://hooks.example/T1/abc",
        "FEEDBACK_WEBHOOK_SECRET": "whsec_c2VjcmV0IGtleSBvZiB0aGUgcmVjZWl2ZXI=",
    }

    settings = load_settings(environment=given)

    assert settings.webhook_url == given["FEEDBACK_WEBHOOK_URL"]
    assert settings.webhook_secret == given["FEEDBACK_WEBHOOK_SECRET"]
    assert "hooks.example" not in repr(settings)
    assert "whsec" not in repr(settings)


@pytest.mark.parametrize(
    ("url", "secret", "problem"),
    [
        ("https://a.example/x", "", "FEEDBACK_WEBHOOK_SECRET is ''"),
        ("", "s3cret", "FEEDBACK_WEBHOOK_URL is ''"),
        ("ftp://a.example", "s3cret", "FEEDBACK_WEBHOOK_URL is 'ftp://a.example'"),
        ("https://user:91ce04d2@a.example", "s3cret", "is 'https://a.example', but it accepts"),
        ("https://", "s3cret", "FEEDBACK_WEBHOOK_URL is 'https://'"),
        ("https://a.example/91ce 04d2", "s3cret", "is 'https://a.example', but it accepts"),
        ("https://a.example/91ce\u00e9", "s3cret", "is 'https://a.example', but it accepts"),
        ("https://a:91ce/04d2@a.example", "s3cret", "is 'https://', but it accepts"),
        ("hooks/91ce", "s3cret", "is '…', but it accepts"),
        ("https://a.example:x/91ce", "s3cret", "is 'https://a.example:x', but it accepts"),
        ("https://a.example:0/91ce", "s3cret", "is 'https://a.example:0', but it accepts"),
        ("https://a.example:70000/", "s3cret", "is 'https://a.example:70000', but it accepts"),
        ("https://b\u00fccher.example/91ce", "s3cret", "FEEDBACK_WEBHOOK_URL is"),
        (f"https://{'a' * 64}.example/91ce", "s3cret", "FEEDBACK_WEBHOOK_URL is"),
        ("https://a..example/91ce", "s3cret", "is 'https://a..example', but it accepts"),
        ("https://[fe80::zz]/91ce", "s3cret", "FEEDBACK_WEBHOOK_URL is"),
        ("https://a.example", "whsec_%%", "FEEDBACK_WEBHOOK_SECRET is '…'"),
        ("https://a.example", "whsec_", "FEEDBACK_WEBHOOK_SECRET is '…'"),
        ("https://a.example", "whsec_OTFjZTA0ZDI=", "FEEDBACK_WEBHOOK_SECRET is '…'"),
        ("https://a.example", "91ce04d2", "a key of 16 bytes at least"),
        ("https://a.example", "91ce04d291ce04d2\udcff", "FEEDBACK_WEBHOOK_SECRET is '…'"),
    ],
)
def test_a_webhook_that_cannot_be_called_is_refused_at_start(
    url: str, secret: str, problem: str
) -> None:
    with pytest.raises(InvalidSettingError, match=problem) as refused:
        load_settings(environment={"FEEDBACK_WEBHOOK_URL": url, "FEEDBACK_WEBHOOK_SECRET": secret})

    assert "91ce" not in str(refused.value)
    assert "%%" not in str(refused.value)


@pytest.mark.parametrize(
    "name",
    [
        "FEEDBACK_EVENT_MAPPING",
        "FEEDBACK_CLEANING_RULES",
        "FEEDBACK_GATE_RULES",
        "FEEDBACK_TRIGGER_RULES",
    ],
)
def test_dagster_is_told_the_whole_path_of_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)

    settings = load_settings(environment={name: "own.toml"})

    assert dagster_environment(settings)[name] == str(tmp_path / "own.toml")


def test_the_demo_page_is_on_off_or_left_to_the_platform() -> None:
    assert load_settings(environment={}).demo == "auto"
    assert load_settings(environment={"FEEDBACK_DEMO": "on"}).demo == "on"
    with pytest.raises(InvalidSettingError, match="FEEDBACK_DEMO"):
        load_settings(environment={"FEEDBACK_DEMO": "perhaps"})


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        (
            {"FEEDBACK_ALERT_WEBHOOK_URL": "https://a.example/91ce"},
            "FEEDBACK_ALERT_WEBHOOK_SECRET is ''",
        ),
        ({"FEEDBACK_ALERT_SLACK_URL": "ftp://a.example/91ce"}, "is 'ftp://a.example', but it"),
    ],
)
def test_who_is_told_of_alerts_is_checked_at_start(given: dict[str, str], problem: str) -> None:
    with pytest.raises(InvalidSettingError, match=problem) as refused:
        load_settings(environment=given)

    assert "91ce" not in str(refused.value)


def test_the_receivers_of_alerts_are_read_and_not_shown() -> None:
    receivers = alert_receivers({"FEEDBACK_ALERT_SLACK_URL": "https://hooks.example/T0/91ce"})

    assert receivers.slack_url == "https://hooks.example/T0/91ce"
    assert (receivers.webhook_url, receivers.webhook_secret) == (None, "")
    assert "91ce" not in repr(receivers)
