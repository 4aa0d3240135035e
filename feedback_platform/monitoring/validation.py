"""Running Great Expectations: suites over pandas frames in, sentences and Data Docs out.

Importing it takes seconds, and thirteen where PySpark is installed: call this inside a check, never
at definition time. Nothing leaves the process: the context is ephemeral and sends no usage
statistics.
"""

from __future__ import annotations

import contextlib
import shutil
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote
from uuid import uuid4

import pandas as pd

from feedback_platform.events import columns as c

# What is suspicious but may be true; everything else says that the data must not be used.
WARNING: Final = "warning"
_EXAMPLES: Final = 3
# Columns of which no example is told: it would name somebody.
_PERSONAL: Final = frozenset({c.USER_ID, c.ANONYMOUS_ID, c.SESSION_ID})
_SITE: Final = "docs"

# What a suite is made of: the expectations' namespace and the condition's column, both imported.
Expectations = Callable[[Any, Any], list[Any]]


@dataclass(frozen=True)
class Suite:
    """What a frame promises.

    Attributes:
        name: as Data Docs show it.
        frame: with all of the columns.
        columns: that the expectations look at.
        expectations: returns them.
    """

    name: str
    frame: pd.DataFrame
    columns: Sequence[str]
    expectations: Expectations


@dataclass(frozen=True)
class SuiteResult:
    """What came of the suites of a layer.

    Attributes:
        success: whether every expectation held.
        is_severe: whether one that did not hold says that the data must not be used.
        evaluated: number of expectations.
        failed: a sentence for each that did not hold: which, on what, how often, for example.
    """

    success: bool
    evaluated: int
    failed: list[str] = field(default_factory=list)
    is_severe: bool = False


def validate(suites: Sequence[Suite], docs: Path | None = None) -> SuiteResult:
    """Check frames.

    Args:
        suites: of one layer.
        docs: the directory whose content the layer's Data Docs replace; none are built without.
    """
    missing = [
        f"expect_column_to_exist on {name}: the frame has no such column"
        for suite in suites
        for name in suite.columns
        if name not in suite.frame.columns
    ]
    if missing:
        evaluated = sum(len(suite.columns) for suite in suites)
        return SuiteResult(success=False, evaluated=evaluated, failed=missing, is_severe=True)
    results = list(_results(suites, docs))
    failed = [result for result in results if not result.success]
    return SuiteResult(
        success=not failed,
        evaluated=len(results),
        failed=sorted(map(_sentence, failed)),
        is_severe=any(_is_severe(result) for result in failed),
    )


def _results(suites: Sequence[Suite], docs: Path | None) -> Iterator[Any]:
    # Its own use of deprecated modules is not our callers' business.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import great_expectations as gx  # noqa: PLC0415 - takes seconds
        import great_expectations.expectations as gxe  # noqa: PLC0415
        from great_expectations.expectations.row_conditions import Column  # noqa: PLC0415

        with _context(gx) as context:
            for suite in suites:
                data = (
                    context.data_sources.add_pandas(suite.name)
                    .add_dataframe_asset(suite.name)
                    .add_batch_definition_whole_dataframe("sample")
                )
                expected = gx.ExpectationSuite(
                    name=suite.name, expectations=suite.expectations(gxe, Column)
                )
                definition = context.validation_definitions.add(
                    gx.ValidationDefinition(
                        name=suite.name, data=data, suite=context.suites.add(expected)
                    )
                )
                checkpoint = context.checkpoints.add(
                    gx.Checkpoint(name=suite.name, validation_definitions=[definition])
                )
                frame = suite.frame.loc[:, list(suite.columns)]
                outcome = checkpoint.run(batch_parameters={"dataframe": frame})
                for validated in outcome.run_results.values():
                    yield from validated.results
            if docs is not None:
                _write_docs(context, docs)


@contextlib.contextmanager
def _context(gx: Any) -> Iterator[Any]:
    from great_expectations.data_context.types.base import ProgressBarsConfig  # noqa: PLC0415

    context = gx.get_context(mode="ephemeral")
    context.enable_analytics(enable=False)
    context.variables.progress_bars = ProgressBarsConfig(globally=False, metric_calculations=False)
    # It makes a directory of its own for a site that nobody asked for.
    for name, site in dict(context.variables.data_docs_sites).items():
        context.delete_data_docs_site(name)
        shutil.rmtree(site["store_backend"]["base_directory"], ignore_errors=True)
    yield context


def _write_docs(context: Any, docs: Path) -> None:
    """Build the static site aside, and put it in the place of the one before."""
    docs.parent.mkdir(parents=True, exist_ok=True)
    for debris in docs.parent.glob(f".{docs.name}-*"):
        shutil.rmtree(debris, ignore_errors=True)
    staged = docs.with_name(f".{docs.name}-{uuid4().hex}")
    site = {
        "class_name": "SiteBuilder",
        "show_how_to_buttons": False,
        "store_backend": {
            "class_name": "TupleFilesystemStoreBackend",
            "base_directory": str(staged),
        },
        "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"},
    }
    context.add_data_docs_site(_SITE, site)
    context.build_data_docs(site_names=[_SITE])
    _write_index(staged)
    shutil.rmtree(docs, ignore_errors=True)
    staged.rename(docs)


def _write_index(site: Path) -> None:
    """Put a plain list in the place of the site's own index, which is empty without the web."""
    pages = sorted(site.glob("validations/**/*.html"))
    links = "".join(
        f'<li><a href="{quote(page.relative_to(site).as_posix())}">'
        f"{escape(page.relative_to(site).parts[1])}</a></li>"
        for page in pages
    )
    title = "What was expected, and what was found"
    page = f'<!doctype html><meta charset="utf-8"><title>{title}</title><h1>{title}</h1>'
    (site / "index.html").write_text(f"{page}<ul>{links}</ul>", encoding="utf-8")


def _is_severe(result: Any) -> bool:
    return str(result.expectation_config.severity.value) != WARNING


def _sentence(result: Any) -> str:
    """Say which expectation failed, on which column and rows, how often, and show examples."""
    config = result.expectation_config
    where = str(config.kwargs.get("column") or ", ".join(config.kwargs["column_list"]))
    condition = config.kwargs.get("row_condition")
    if condition is not None:
        where = f"{where} where {condition['column']['name']} is {condition['parameter']}"
    said = f"{config.type} on {where}"
    details = result.result
    if "observed_value" in details:
        bounds = [config.kwargs.get(name) for name in ("min_value", "max_value")]
        low, high = ("open" if bound is None else f"{bound:g}" for bound in bounds)
        return f"{said}: {float(details['observed_value']):.4g}, expected {low} to {high}"
    if "unexpected_count" not in details:
        return f"{said}: it could not be evaluated; {_problem(result.exception_info)}"
    said = f"{said}: {details['unexpected_count']} of {details['element_count']} rows"
    if _PERSONAL & {config.kwargs.get("column"), *config.kwargs.get("column_list", [])}:
        # What is said here stays in the log of runs, from which nobody could be erased.
        return said
    unexpected = details.get("partial_unexpected_list") or []
    # A null is no example, and a key of several columns is a dict.
    told = [repr(e) for e in unexpected if isinstance(e, dict) or not pd.isna(e)]
    examples = list(dict.fromkeys(told))[:_EXAMPLES]
    return f"{said}, such as {', '.join(examples)}" if examples else said


def _problem(exception_info: dict[str, Any]) -> str:
    """Return the message in what Great Expectations says of an exception."""
    nested = [info for info in exception_info.values() if isinstance(info, dict)]
    message = (nested[0] if nested else exception_info).get("exception_message")
    return str(message).strip().partition("\n")[0]
