"""What dbt need not do a thousand times for the same project.

A run on a few events takes a second, of which a fifth is SQL. A quarter of the second goes into
what comes out the same each time or what nobody reads. What dbt runs on the database is untouched.
"""

from __future__ import annotations

from types import CodeType
from typing import Any

import jinja2
import pytest


def take_shortcuts(patch: pytest.MonkeyPatch) -> None:
    """Let dbt take them in this process."""
    _compile_each_template_once(patch)
    _tell_only_what_is_read(patch)


def _compile_each_template_once(patch: pytest.MonkeyPatch) -> None:
    """The models' and macros' texts are compiled anew in each run, into the same code."""
    compiled: dict[tuple[type, str], Any] = {}
    compile_template = jinja2.Environment.compile

    def once(environment: jinja2.Environment, source: Any, *given: Any, **named: Any) -> Any:
        if given or named or not isinstance(source, str):
            return compile_template(environment, source, *given, **named)
        key = (type(environment), source)
        if key not in compiled:
            code: CodeType = compile_template(environment, source)
            compiled[key] = code
        return compiled[key]

    patch.setattr(jinja2.Environment, "compile", once)


def _tell_only_what_is_read(patch: pytest.MonkeyPatch) -> None:
    """Each of 800 steps of a run becomes a message; `DbtProject` reads those of finished nodes."""
    from dbt.events.types import NodeFinished
    from dbt_common.events.base_types import EventLevel
    from dbt_common.events.event_manager import EventManager

    fire = EventManager.fire_event

    def told(manager: Any, event: Any, level: Any = None, *given: Any, **named: Any) -> None:
        is_unread = (level or event.level_tag()) in {EventLevel.DEBUG, EventLevel.TEST}
        if not is_unread or isinstance(event, NodeFinished):
            fire(manager, event, level, *given, **named)

    patch.setattr(EventManager, "fire_event", told)
