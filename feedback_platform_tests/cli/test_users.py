from __future__ import annotations

import json
from pathlib import Path

import pytest

from feedback_platform.lake.store import Lake
from feedback_platform.privacy.preferences import PreferencesChange
from feedback_platform.privacy.preferences_log import PreferencesEntry, PreferencesLog
from feedback_platform.serving.user_tokens import TokenRefusedError, UserTokens
from feedback_platform.settings import load_settings
from feedback_platform_tests.cli.conftest import Run
from feedback_platform_tests.cli.outcomes import parsed, the_error
from feedback_platform_tests.serving.published_users import publish_users
from feedback_platform_tests.serving.test_pending_preferences import NOW

SECRET = "0c4f" * 8
OLD = "9a1b" * 8


@pytest.fixture
def secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FEEDBACK_USER_TOKEN_SECRET", f"{SECRET},{OLD}")


@pytest.mark.usefixtures("secret")
def test_a_token_is_the_users_and_is_signed_with_the_newer_secret(run: Run) -> None:
    finished = run("users", "token", "jürgen/ö", "--valid-for", "2h")

    token = finished.output.strip().encode()
    assert finished.code == 0
    assert UserTokens([SECRET]).user_of(token) == "jürgen/ö"
    with pytest.raises(TokenRefusedError):
        UserTokens([OLD]).user_of(token)
    # What a program does not want to read stands elsewhere.
    assert finished.errors.startswith("A token of jürgen/ö, valid until ")
    assert SECRET not in finished.errors


def test_without_a_secret_there_are_no_tokens(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FEEDBACK_USER_TOKEN_SECRET", raising=False)
    assert "set FEEDBACK_USER_TOKEN_SECRET" in the_error(run("users", "token", "ada"))


@pytest.mark.usefixtures("secret")
def test_what_is_no_user_or_no_time_is_refused(run: Run) -> None:
    assert "is no user's id" in the_error(run("users", "token", " "))
    assert "is no user's id" in the_error(run("users", "export", ""))
    for text in ("", "15", "1w", "-1m", "0m", "31d", "1e3s"):
        finished = run("users", "token", "ada", "--valid-for", text)
        assert (finished.code, finished.output) == (2, "")
        assert "such as 90s, 15m" in finished.errors


def test_the_export_has_what_is_published_and_what_they_allow_now(run: Run, tmp_path: Path) -> None:
    settings = load_settings(tmp_path / "data")
    publish_users(settings.published_path, segments={"ada": "fans"})
    change = PreferencesChange(research=False)
    PreferencesLog(Lake(settings.lake_url)).append(PreferencesEntry("e-1", NOW, "ada", change))

    document = parsed(run("users", "export", "ada"))

    assert document["segment"]["rows"][0]["name"] == "fans"
    assert document["preferences"]["rows"][0]["research"] is False
    assert json.dumps(parsed(run("users", "export", "bob"))["segment"]["rows"]) == "[]"
