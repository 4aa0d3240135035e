"""erase: users leave every layer, with a proof."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from feedback_platform.cli.options import with_json, with_settings
from feedback_platform.cli.running import JobRunner
from feedback_platform.errors import InvalidInputError
from feedback_platform.lake.store import Lake
from feedback_platform.privacy.reports import read_report
from feedback_platform.privacy.requests import file_request, pending_requests
from feedback_platform.settings import Settings
from feedback_platform.text_file import read_text_file


@click.command(epilog="Example: feedback-platform erase user-17 user-23")
@click.argument("users", nargs=-1)
@click.option(
    "--file",
    "path",
    type=click.Path(path_type=Path, dir_okay=False),
    help="A file with more of them, one a line.",
)
@with_settings
@with_json
def erase(settings: Settings, as_json: bool, users: tuple[str, ...], path: Path | None) -> None:
    """Erase users from every layer, prove it, and keep them from coming back.

    A user is named by the id that senders use, or as anonymous:DEVICE. Devices that are theirs are
    found. What they do afterwards is a new relationship. Without users, what is pending is carried
    out: after a crash, run it again. The exit code is 0 only when it is done and proved.
    """
    lake = Lake(settings.lake_url)
    named = [*users, *(_named_in(path) if path is not None else [])]
    if named:
        file_request(lake, named, now=datetime.now(UTC))
    pending = [request.request_id for request in pending_requests(lake)]
    if not pending:
        raise InvalidInputError(
            "Nobody is named whom to erase, and no request is pending; give at least one user's id."
        )
    JobRunner(settings).erase()
    reports = [report for name in pending if (report := read_report(lake, name)) is not None]
    unique = list({report["digest"]: report for report in reports}.values())
    if as_json:
        click.echo(json.dumps(unique))
        return
    for report in unique:
        click.echo(printed(report))


def _named_in(path: Path) -> list[str]:
    lines = read_text_file(path, "The file", "it has a user's id on each line").splitlines()
    return [line.strip() for line in lines if line.strip()]


def printed(report: dict[str, Any]) -> str:
    """Return a report as a person reads it."""
    lines = [
        f"Requests {', '.join(report['request_ids'])}, done at {report['done_at']}",
        f"{report['users']:,} users and {report['devices']:,} devices of theirs erased.",
        "",
        _row("layer", "looked at", "rewritten", "rows removed", "seconds"),
    ]
    for layer in report["layers"]:
        removed = "" if layer["removed"] is None else f"{layer['removed']:,}"
        counts = (f"{layer['looked_at']:,}", f"{layer['rewritten']:,}", removed)
        lines.append(_row(layer["layer"], *counts, f"{layer['seconds']:.1f}"))
    lines += ["", _row("read for traces", "objects", "bytes", "found", "seconds")]
    for layer in report["scanned"]:
        counts = (f"{layer['objects']:,}", f"{layer['bytes']:,}", str(report["traces"]))
        lines.append(_row(layer["layer"], *counts, f"{layer['seconds']:.1f}"))
    if report["shared"]:
        lines.append(
            f"\n{report['shared']:,} of the ids are others' as well, or of users who came back: "
            "their own rows were looked for, not their bytes."
        )
    # Reports of earlier releases have no more than those two.
    if report.get("indistinct"):
        lines.append(
            f"\n{report['indistinct']:,} ids were not looked for byte by byte, but in the fields "
            "that hold ids alone: they are short, words, or numbers."
        )
    if report.get("mentions"):
        lines.append(
            f"\nOthers name them in {report['mentions']:,} lines and values; what they said stays."
        )
    if report.get("written"):
        lines.append(
            f"\nWhat people wrote names them: {', '.join(sorted(report['written']))}. Take them "
            "out of the conditions of flags, and write no ids into reasons; the logs stay."
        )
    return "\n".join([*lines, "", f"Digest of this report: {report['digest']}"])


def _row(name: str, *columns: str) -> str:
    return " ".join([f"{name:<20}", *(f"{column:>14}" for column in columns)])
