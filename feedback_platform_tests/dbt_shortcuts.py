"""What dbt need not do a thousand times for the same project.

Of a run on a few events little is SQL. A third goes into what comes out the same each time or what
nobody reads. What dbt runs on the database is untouched.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from types import CodeType
from typing import Any

import jinja2
import pytest


def take_shortcuts(patch: pytest.MonkeyPatch) -> None:
    """Let dbt take them in this process."""
    _compile_each_template_once(patch)
    _tell_only_what_is_read(patch)
    _sort_macros_into_packages_once(patch)
    _look_for_plugins_once(patch)
    _have_one_empty_table(patch)
    _do_not_look_who_calls(patch)


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
    """Each of 1,000 steps of a run becomes a message; `DbtProject` reads those of two kinds.

    A message that nobody reads is not even filled in: that alone is a tenth of a run.
    """
    from dbt.adapters.events.types import SQLQuery
    from dbt.events.types import NodeFinished
    from dbt_common.events.base_types import BaseEvent, EventLevel
    from dbt_common.events.event_manager import EventManager

    fill_in = BaseEvent.__init__
    fire = EventManager.fire_event
    unread = {EventLevel.DEBUG, EventLevel.TEST}
    read = (NodeFinished, SQLQuery)

    def filled_in(event: Any, *given: Any, **named: Any) -> None:
        is_unread = event.level_tag() in unread and not isinstance(event, read)
        fill_in(event, *given, **({} if is_unread else named))

    def told(manager: Any, event: Any, level: Any = None, *given: Any, **named: Any) -> None:
        is_unread = (level or event.level_tag()) in unread
        if not is_unread or isinstance(event, read):
            fire(manager, event, level, *given, **named)

    patch.setattr(BaseEvent, "__init__", filled_in)
    patch.setattr(EventManager, "fire_event", told)


def _sort_macros_into_packages_once(patch: pytest.MonkeyPatch) -> None:
    """Two contexts of each node know 600 macros; which one a name stands for never changes."""
    from dbt.clients.jinja import MacroGenerator
    from dbt.context.macros import MacroNamespace, MacroNamespaceBuilder

    sort = MacroNamespaceBuilder.build_namespace
    # By the node's package and the number of macros: how they were sorted, and from what.
    sorted_before: dict[tuple[str, int], tuple[Any, Any]] = {}

    class Flat(MacroNamespace):  # type: ignore[misc] # dbt has no types here
        """A name is looked up in one dictionary instead of five."""

        def __init__(self, model: Any, bound: Callable[[Any], Any]) -> None:
            def all_bound(namespace: dict[str, Any]) -> dict[str, Any]:
                return {name: bound(member) for name, member in namespace.items()}

            super().__init__(
                all_bound(model.global_namespace),
                all_bound(model.local_namespace),
                all_bound(model.global_project_namespace),
                {name: all_bound(package) for name, package in model.packages.items()},
            )
            self.flat: dict[str, Any] = {}
            for namespace in reversed([*self._search_order()]):
                self.flat.update(namespace)

        def __getitem__(self, name: str) -> Any:
            return self.flat[name]

        def __iter__(self) -> Iterator[str]:
            return iter(self.flat)

        def __len__(self) -> int:
            return len(self.flat)

    def built(builder: Any, macros: dict[str, dict[str, Any]], context: dict[str, Any]) -> Any:
        key = (builder.search_package, sum(map(len, macros.values())))
        origin, model = sorted_before.get(key, (None, None))
        if origin is not macros:
            model = sort(builder, macros, context)
            sorted_before[key] = (macros, model)
        node, stack = builder.node, builder.thread_ctx
        return Flat(model, lambda known: MacroGenerator(known.macro, context, node, stack))

    patch.setattr(MacroNamespaceBuilder, "build_namespace", built)


def _look_for_plugins_once(patch: pytest.MonkeyPatch) -> None:
    """Nobody installs a package meanwhile; dbt lists all there are whenever it begins."""
    from dbt.plugins.manager import PluginManager

    patch.setattr(PluginManager, "get_prefixed_modules", cache(PluginManager.get_prefixed_modules))


def _have_one_empty_table(patch: pytest.MonkeyPatch) -> None:
    """Most statements return nothing; a table of agate's builds parsers of dates, full or empty."""
    from dbt_common.clients import agate_helper

    patch.setattr(agate_helper, "empty_table", cache(agate_helper.empty_table))


def _do_not_look_who_calls(patch: pytest.MonkeyPatch) -> None:
    """Each behaviour flag reads the sources of all callers, for a warning that nobody sees."""
    from dbt_common.behavior_flags import BehaviorFlagRendered

    patch.setattr(BehaviorFlagRendered, "_default_source", staticmethod(lambda: "an adapter"))
