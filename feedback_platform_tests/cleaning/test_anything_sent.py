"""Whatever a sender may send becomes rows with its values, or is put aside with a reason."""

from __future__ import annotations

import json
from typing import Any

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from feedback_platform.cleaning.reading import parse_raw_object
from feedback_platform.cleaning.typed_columns import typed_events
from feedback_platform.events.contract import FIELDS
from feedback_platform.events.translation.rules import as_number
from feedback_platform_tests.cleaning.lines import event, ndjson
from feedback_platform_tests.cleaning.test_received_lines import COLLECTED, clean, received, track
from feedback_platform_tests.seeds import examples

NUMBERS = st.text("0123456789+-.eE_ xinfaINFA٣", max_size=8) | st.floats().map(str)


@settings(max_examples=60)
@given(texts=st.lists(NUMBERS, min_size=1, max_size=20))
def test_translation_and_the_contract_read_the_same_numbers(texts: list[str]) -> None:
    events = typed_events(
        [parse_raw_object(COLLECTED, ndjson(*(event(value=text) for text in texts))).texts]
    )

    assert events["value"].to_list() == [as_number(text) for text in texts]


SENT = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**38), 10**38)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8"), max_size=6)
    | st.sampled_from(["1_0", " 1 ", "1e400", "nan", "0x10", "4.5", "[x]", "{}", "\0", "p", 2**63]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=6,
)
MEANT = st.sampled_from(
    [
        *("product_id", "sku", "rating", "price", "quantity", "revenue", "position", "dwell_ms"),
        *("propensity", "placement", "experiment_id", "variant", "session_id", "products", "score"),
    ]
)
EVENTS = [
    *("Product Viewed", "Product Reviewed", "Order Completed", "Product List Viewed"),
    *("Video Content Completed", "NPS Survey Answered", "Experiment Viewed", "Item Rated"),
]


@examples(60)
@given(
    name=st.sampled_from(EVENTS),
    properties=st.dictionaries(MEANT, SENT, max_size=5),
    products=st.none() | st.lists(st.dictionaries(MEANT, SENT, max_size=4), max_size=3),
    context=st.dictionaries(st.sampled_from(["os", "device", "app", "sessionId"]), SENT),
)
def test_whatever_a_library_sends_is_rows_with_its_values_or_put_aside_with_a_reason(
    name: str, properties: dict[str, Any], products: Any, context: dict[str, Any]
) -> None:
    sent = properties if products is None else {**properties, "products": products}
    message = {**track(name, sent), "context": context}

    outcome = clean(received(message))

    assert outcome.rows == outcome.clean.height + outcome.quarantined.height > 0
    assert outcome.duplicates == 0
    assert outcome.quarantined.filter(pl.col("reason").is_null()).is_empty()
    if isinstance(sent.get("products"), list):
        return  # whose entries are events of their own
    for row in outcome.clean.rows(named=True):
        kept = json.loads(row["properties"] or "{}")
        fields = [row[field] for field in FIELDS if field != "properties"]
        for key, value in sent.items():
            assert is_alike(kept.get(key, ...), value) or is_in(value, fields), key


def is_alike(kept: Any, sent: Any) -> bool:
    """Return whether what was kept is what was sent; a double may be written without a point."""
    if isinstance(sent, float) and isinstance(kept, int):
        return float(kept) == sent
    if isinstance(sent, dict) and isinstance(kept, dict):
        return kept.keys() == sent.keys() and all(is_alike(kept[key], sent[key]) for key in sent)
    if isinstance(sent, list) and isinstance(kept, list):
        return len(kept) == len(sent) and all(map(is_alike, kept, sent))
    return bool(kept == sent)


def is_in(value: Any, fields: list[Any]) -> bool:
    """Return whether a field says what was sent, as text or as the same number."""
    number = as_number(value)
    return str(value) in fields or (number is not None and number in map(as_number, fields))
