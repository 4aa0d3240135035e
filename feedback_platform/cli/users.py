"""users: what is known of an end user, and tokens to try their endpoints with."""

from __future__ import annotations

import asyncio
import re
import sys
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import click

from feedback_platform.cli.options import with_settings
from feedback_platform.errors import InvalidInputError
from feedback_platform.lake.store import Lake
from feedback_platform.privacy.requests import check_user_id
from feedback_platform.privacy.user_export import UserExport
from feedback_platform.serving.pending_preferences import PendingPreferences
from feedback_platform.serving.user_facts import PublishedUsers
from feedback_platform.serving.user_tokens import sign_token
from feedback_platform.settings import DBT_PROJECT_DIR, Settings
from feedback_platform.warehouse.score_settings import signal_names

_VALID_FOR: Final = re.compile(r"([1-9]\d{0,5})([smhd])", re.ASCII)
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_LONGEST: Final = timedelta(days=30)


@click.group(name="users")
def users() -> None:
    """See what is known of an end user, and try the endpoints of end users."""


@users.command(epilog="Example: feedback-platform users token user-17 --valid-for 15m")
@click.argument("user_id")
@click.option(
    "--valid-for",
    default="15m",
    show_default=True,
    metavar="TIME",
    callback=lambda _context, _parameter, text: _duration(text),
    help="How long, such as 90s, 15m, 8h or 2d; at most 30d.",
)
@with_settings
def token(settings: Settings, valid_for: timedelta, user_id: str) -> None:
    """Print a token with which the endpoints of USER_ID can be tried.

    It opens what is known of the user to whoever has it. In production the application that signs
    users in makes such tokens, with the same secret.
    """
    check_user_id(user_id)
    if not settings.user_token_secrets:
        raise InvalidInputError(
            "Tokens need a secret to be signed with: set FEEDBACK_USER_TOKEN_SECRET, for the "
            "server as well. Without it and without FEEDBACK_API_KEYS the endpoints of users on "
            "this machine need no token."
        )
    now = datetime.now(UTC)
    secret, *_ = settings.user_token_secrets
    # Only the token goes where a program would read it.
    click.echo(
        f"A token of {user_id}, valid until {now + valid_for:%Y-%m-%d %H:%M:%S} UTC; send it as "
        "`Authorization: Bearer …`.",
        err=True,
    )
    click.echo(sign_token(user_id, secret, now=now, valid_for=valid_for))


@users.command(epilog="Example: feedback-platform users export user-17 > user-17.json")
@click.argument("user_id")
@with_settings
def export(settings: Settings, user_id: str) -> None:
    """Print everything that is known of USER_ID, as JSON.

    It is what the user gets from GET /v1/users/USER_ID/data: what the published tables attribute to
    them, and what they allow.
    """
    check_user_id(user_id)
    preferences = asyncio.run(_preferences(settings, user_id))
    document = UserExport(settings.published_path, user_id, preferences, now=datetime.now(UTC))
    for piece in document.pieces():
        sys.stdout.buffer.write(piece)
    sys.stdout.flush()


async def _preferences(settings: Settings, user_id: str) -> dict[str, Any]:
    pending = PendingPreferences(Lake(settings.lake_url))
    known = PublishedUsers(settings.published_path, pending)
    await pending.look()
    await known.look()
    if not known.are_known:
        raise InvalidInputError(
            "What users allow cannot be read: the lake or what is published does not answer."
        )
    return known.preferences_of(user_id).content(signal_names(DBT_PROJECT_DIR / "seeds"))


def _duration(text: str) -> timedelta:
    found = _VALID_FOR.fullmatch(text)
    duration = timedelta(seconds=int(found[1]) * _SECONDS[found[2]]) if found else None
    if duration is None or duration > _LONGEST:
        raise click.BadParameter("it accepts a time such as 90s, 15m, 8h or 2d, at most 30d")
    return duration
