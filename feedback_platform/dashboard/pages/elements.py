"""What pages are made of: sections, cards of figures, lists and charts.

Whatever comes from the tables is text, and goes to the browser escaped; Markdown is for our own
words alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, Literal

import polars as pl
import streamlit as st

from feedback_platform.dashboard import formats
from feedback_platform.dashboard.formats import safe
from feedback_platform.dashboard.snapshot import (
    PublicationUnreadableError,
    TableDiffersError,
    TableMissingError,
)
from feedback_platform.dashboard.tables import Table

Tone = Literal["good", "bad", "warning", ""]
_LISTED: Final = 25


@dataclass(frozen=True)
class Card:
    """A figure that stands for itself.

    Attributes:
        label, value: what it is, and how much.
        notes: interval, size of the sample, what it was before.
        tone: of the value.
        is_words: whether the value is words, which are set smaller.
    """

    label: str
    value: str
    notes: tuple[str, ...] = ()
    tone: Tone = ""
    is_words: bool = False


@dataclass(frozen=True)
class Column:
    """A column of a list.

    Attributes:
        name: of the frame's column.
        title: what people call it.
        write: how a value is written.
        tone: of a value; one with a tone is set as a state.
        is_number: whether values stand at the right.
        is_kept: whether values stay on one line.
    """

    name: str
    title: str
    write: Callable[[Any], str] = lambda value: formats.NOTHING if value is None else str(value)
    tone: Callable[[Any], Tone] | None = None
    is_number: bool = False
    is_kept: bool = False


@contextmanager
def section(title: str, explanation: str = "") -> Iterator[None]:
    """A part of a page; when its table is not there or another one, it says so, and is all."""
    st.subheader(title, anchor=False)
    if explanation:
        says(explanation)
    try:
        yield
    except TableMissingError as error:
        notice(str(error))
    except (TableDiffersError, PublicationUnreadableError) as error:
        notice(str(error), kind="differs")


def says(text: str) -> None:
    """Say something in a smaller voice."""
    st.html(f'<p class="fp-says">{safe(text)}</p>')


def notice(text: str, *, kind: Literal["", "differs"] = "") -> None:
    """Say why there is nothing else to see."""
    st.html(f'<div class="fp-notice fp-{kind}" role="status">{safe(text)}</div>')


def nothing(table: Table, when: str = "") -> None:
    """Say that a table has no rows to show.

    Args:
        table: which one.
        when: of which there are none, such as "in this period".
    """
    where = f" {when}" if when else ""
    notice(f"Nothing in `{table.name}`{where}: {table.filled}.")


def cards(*found: Card) -> None:
    """Show figures side by side, as many as there is room for."""
    made = "".join(
        f'<div class="fp-card{" fp-words" if card.is_words else ""}">'
        f'<div class="fp-label">{safe(card.label)}</div>'
        f'<div class="fp-value fp-{card.tone}">{safe(card.value)}</div>'
        + "".join(f'<div class="fp-note">{safe(note)}</div>' for note in card.notes if note)
        + "</div>"
        for card in found
    )
    st.html(f'<div class="fp-cards">{made}</div>')


def listing(frame: pl.DataFrame, columns: Sequence[Column], *, key: str) -> None:
    """Show the first rows of a frame as a list, and all of them as a table where there are more.

    Args:
        frame: in the order in which people want to see it.
        columns: what is shown of it.
        key: of the list on its page.
    """
    head = "".join(f'<th scope="col"{_classes(each)}>{safe(each.title)}</th>' for each in columns)
    body = "".join(
        f"<tr>{''.join(_cell(each, row[each.name]) for each in columns)}</tr>"
        for row in frame.head(_LISTED).iter_rows(named=True)
    )
    table = f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody>"
    st.html(f'<div class="fp-scrolls"><table class="fp-table">{table}</table></div>')
    if len(frame) > _LISTED:
        says(f"The first {_LISTED} of {formats.whole(len(frame))}.")
        with st.expander("All rows"):
            shown = frame.select(each.name for each in columns)
            titles: dict[str, Any] = {each.name: each.title for each in columns}
            st.dataframe(shown, hide_index=True, column_config=titles, key=key)


def chart(made: Any, alt: str, *, key: str) -> None:
    """Show a chart, or several that belong together, as wide as there is room for.

    Args:
        made: by `charts`.
        alt: what is shown, for those who do not see it.
        key: of the chart on its page.
    """
    several = made if isinstance(made, tuple) else (made,)
    with st.container(gap="xsmall"):
        for number, each in enumerate(several):
            st.altair_chart(each, width="stretch", theme=None, alt=alt, key=f"{key}-{number}")


def change(now: float | None, before: float | None, *, of_shares: bool = False) -> str:
    """Return how a figure differs from the period before: relative, of shares in points."""
    if now is None or not before:
        return ""
    if of_shares:
        return f"{formats.signed(100 * (now - before))} points to the period before"
    return f"{formats.signed(100 * (now / before - 1))} % to the period before"


def _cell(column: Column, value: Any) -> str:
    text = safe(column.write(value))
    tone = column.tone(value) if column.tone is not None else ""
    if column.tone is not None:
        text = f'<span class="fp-state fp-{tone}">{text}</span>'
    name = safe(column.title)
    return f'<td data-name="{name}"{_classes(column)}><span>{text}</span></td>'


def _classes(column: Column) -> str:
    names = [
        name
        for name, is_so in (("fp-number", column.is_number), ("fp-kept", column.is_kept))
        if is_so
    ]
    return f' class="{" ".join(names)}"' if names else ""
