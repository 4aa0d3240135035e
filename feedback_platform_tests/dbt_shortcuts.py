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
    _link_the_graph_once(patch)
    _say_nothing_of_callers(patch)
    _look_for_plugins_once(patch)
    _have_one_empty_table(patch)


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
    """Each of 1,000 steps of a run becomes a message; `DbtProject` reads those of finished nodes.

    A message that nobody reads is not even filled in: that alone is a tenth of a run.
    """
    from dbt.events.types import NodeFinished
    from dbt_common.events.base_types import BaseEvent, EventLevel
    from dbt_common.events.event_manager import EventManager

    fill_in = BaseEvent.__init__
    fire = EventManager.fire_event
    unread = {EventLevel.DEBUG, EventLevel.TEST}

    def filled_in(event: Any, *given: Any, **named: Any) -> None:
        is_unread = event.level_tag() in unread and not isinstance(event, NodeFinished)
        fill_in(event, *given, **({} if is_unread else named))

    def told(manager: Any, event: Any, level: Any = None, *given: Any, **named: Any) -> None:
        is_unread = (level or event.level_tag()) in unread
        if not is_unread or isinstance(event, NodeFinished):
            fire(manager, event, level, *given, **named)

    patch.setattr(BaseEvent, "__init__", filled_in)
    patch.setattr(EventManager, "fire_event", told)


def _sort_macros_into_packages_once(patch: pytest.MonkeyPatch) -> None:
    """Two contexts of each node know 400 macros; which one a name stands for never changes."""
    from dbt.clients.jinja import MacroGenerator
    from dbt.context.configured import ConfiguredContext
    from dbt.context.macros import MacroNamespace, MacroNamespaceBuilder
    from dbt.context.manifest import ManifestContext

    sort = MacroNamespaceBuilder.build_namespace
    # By the node's package and the number of macros: how they were sorted, and from what.
    sorted_before: dict[tuple[str, int], tuple[Any, Any]] = {}

    class Flat(MacroNamespace):  # type: ignore[misc] # dbt has no types here
        """Each macro is bound once, and a name is looked up in one dictionary instead of five."""

        def __init__(self, model: Any, **of_the_context: Any) -> None:
            bind = _binding(MacroGenerator, of_the_context)
            super().__init__(
                bind(model.global_namespace),
                bind(model.local_namespace),
                bind(model.global_project_namespace),
                {name: bind(package) for name, package in model.packages.items()},
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
        return Flat(model, context=context, node=builder.node, stack=builder.thread_ctx)

    in_words = ManifestContext.to_dict

    def to_dict(context: Any) -> Any:
        if not isinstance(context.namespace, Flat):
            return in_words(context)
        members = ConfiguredContext.to_dict(context)
        members.update(context.namespace.flat)
        return members

    patch.setattr(MacroNamespaceBuilder, "build_namespace", built)
    patch.setattr(ManifestContext, "to_dict", to_dict)


def _binding(
    generator: Any, of_the_context: dict[str, Any]
) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Return what binds all macros of a namespace to a context, and each of them once."""
    known: dict[int, Any] = {}

    def bound(macro: Any) -> Any:
        if id(macro) not in known:
            # What its two constructors do, 400 times for each context.
            made = known[id(macro)] = generator.__new__(generator)
            made.__dict__ = {"macro": macro, **of_the_context}
        return known[id(macro)]

    return lambda namespace: {name: bound(member.macro) for name, member in namespace.items()}


def _link_the_graph_once(patch: pytest.MonkeyPatch) -> None:
    """Which node comes after which is in the parsed project; whoever selects from it copies."""
    from dbt.compilation import Compiler

    link = Compiler.compile
    linked: dict[tuple[Any, ...], tuple[Any, Any]] = {}

    def once(compiler: Any, manifest: Any, **named: Any) -> Any:
        key = (id(manifest), *named.items())
        if key in linked:
            compiler.initialize()
        else:
            # The manifest is kept with it, so that no other gets its number.
            linked[key] = (manifest, link(compiler, manifest, **named))
        return linked[key][1]

    patch.setattr(Compiler, "compile", once)


def _say_nothing_of_callers(patch: pytest.MonkeyPatch) -> None:
    """Each adapter reads the source of all its callers, to name one of them in a message."""
    from dbt_common.behavior_flags import BehaviorFlagRendered

    patch.setattr(BehaviorFlagRendered, "_default_source", staticmethod(lambda: "the tests"))


def _look_for_plugins_once(patch: pytest.MonkeyPatch) -> None:
    """Nobody installs a package meanwhile; dbt lists all there are whenever it begins."""
    from dbt.plugins.manager import PluginManager

    patch.setattr(PluginManager, "get_prefixed_modules", cache(PluginManager.get_prefixed_modules))


def _have_one_empty_table(patch: pytest.MonkeyPatch) -> None:
    """Most statements return nothing; a table of agate's builds parsers of dates, full or empty."""
    from dbt_common.clients import agate_helper

    patch.setattr(agate_helper, "empty_table", cache(agate_helper.empty_table))
