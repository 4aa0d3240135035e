"""contract: what an event is, as schemas to build on, and whether they may change as they did."""

from __future__ import annotations

import sys

import click

from feedback_platform.cli.options import show, with_json, with_settings
from feedback_platform.errors import InvalidInputError
from feedback_platform.events.schemas.release import (
    EVENT,
    contract_problems,
    current_documents,
    release,
)
from feedback_platform.events.schemas.schema import SchemaType
from feedback_platform.settings import Settings


@click.group()
def contract() -> None:
    """The contract of events: show its schemas, check and release them."""


@contract.command(
    name="show", epilog="Example: feedback-platform contract show item_rated --format json"
)
@click.argument("name", metavar="[TYPE]", default=EVENT)
@click.option(
    "--format",
    "language",
    type=click.Choice(["json", "protobuf"]),
    default="json",
    show_default=True,
    help="JSON Schema, or a .proto file (one for all types).",
)
@with_settings
def show_command(name: str, language: str, settings: Settings) -> None:  # noqa: ARG001
    """Print the schema of an event type; without one, the schema over all types."""
    wanted = SchemaType(language.upper())
    documents = {document.name: document for document in current_documents()}
    if name not in documents:
        raise InvalidInputError(
            f"There is no event type {name!r}. There are: {', '.join(documents)}."
        )
    # One Protobuf message stands for all types; what a type requires, JSON Schema says.
    of_name = EVENT if wanted is SchemaType.PROTOBUF else name
    (document,) = (
        document
        for document in current_documents()
        if document.name == of_name and document.schema.schema_type is wanted
    )
    click.echo(document.schema.text, nl=False)


@contract.command(epilog="Example: feedback-platform contract check")
@with_settings
@with_json
def check(settings: Settings, as_json: bool) -> None:  # noqa: ARG001
    """Compare the contract with what was released; the exit code is 1 when something is wrong."""
    problems = contract_problems()
    if as_json:
        show({"ok": not problems, "problems": problems}, as_json=True)
    elif problems:
        for problem in problems:
            click.echo(f"BAD  {problem}")
    else:
        click.echo(f"ok   {len(current_documents())} schemas are as they were released")
    sys.exit(1 if problems else 0)


@contract.command(name="release", epilog="Example: feedback-platform contract release")
@with_settings
@with_json
def release_command(settings: Settings, as_json: bool) -> None:  # noqa: ARG001
    """Write the files of versions that are new; a file that was released is never changed."""
    written = release()
    show(
        {"released": written if as_json else ", ".join(written) or "nothing; no version is new"},
        as_json=as_json,
    )
