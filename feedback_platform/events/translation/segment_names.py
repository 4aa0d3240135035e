"""What Segment's own event names mean; the events of its public specification.

Left out on purpose are events in which nobody says or does anything to an item that the platform
could learn from (Checkout Started, Coupon Applied, Application Opened), and those that take a step
back (Product Removed, Order Refunded): what they say of taste would be our guess. They are put
aside as unmapped, and a mapping file may name them.
"""

from __future__ import annotations

from typing import Final

from feedback_platform.events import columns as c
from feedback_platform.events.contract import EVENT_TYPES
from feedback_platform.events.translation.naming import folded
from feedback_platform.events.translation.rules import EventRule

_Lifts = tuple[tuple[str, str], ...]

# Ours, whatever the event is called. `variant` is taken with an experiment_id beside it only:
# alone it is the product's colour or size.
SHARED_LIFTS: Final[_Lifts] = (
    (c.RECOMMENDATION_ID, c.RECOMMENDATION_ID),
    (c.POSITION, c.POSITION),
    (c.PROPENSITY, c.PROPENSITY),
    (c.PLACEMENT, c.PLACEMENT),
    (c.EXPERIMENT_ID, c.EXPERIMENT_ID),
    (c.VARIANT, c.VARIANT),
    (c.SESSION_ID, c.SESSION_ID),
)
ITEM_LIFTS: Final[_Lifts] = (
    (c.ITEM_ID, c.ITEM_ID),
    ("product_id", c.ITEM_ID),
    ("sku", c.ITEM_ID),
    ("id", c.ITEM_ID),
)
_DWELL: Final[_Lifts] = (("dwell_ms", c.VALUE),)
_SCORE: Final[_Lifts] = (("score", c.VALUE), ("rating", c.VALUE), ("value", c.VALUE))
_PRODUCT: Final = ITEM_LIFTS + SHARED_LIFTS
_PRODUCTS: Final = ("products",)
# The position of a promotion is mostly the name of a place, such as home_banner_top.
_PROMOTION: Final[_Lifts] = (
    ("promotion_id", c.ITEM_ID),
    *_PRODUCT,
    (c.POSITION, c.PLACEMENT),
)
# A video's session_id is that of its player, and its position that of the playhead.
_VIDEO: Final[_Lifts] = (
    (c.ITEM_ID, c.ITEM_ID),
    ("asset_id", c.ITEM_ID),
    ("content_asset_id", c.ITEM_ID),
    (c.RECOMMENDATION_ID, c.RECOMMENDATION_ID),
    (c.PLACEMENT, c.PLACEMENT),
)
_EXPERIMENT: Final[_Lifts] = (
    (c.EXPERIMENT_ID, c.EXPERIMENT_ID),
    ("experimentId", c.EXPERIMENT_ID),
    ("experiment_name", c.EXPERIMENT_ID),
    ("experimentName", c.EXPERIMENT_ID),
    (c.VARIANT, c.VARIANT),
    ("variation_id", c.VARIANT),
    ("variationId", c.VARIANT),
    ("variation_name", c.VARIANT),
    ("variationName", c.VARIANT),
    (c.SESSION_ID, c.SESSION_ID),
)
_SURVEY: Final = _SCORE + SHARED_LIFTS

PAGE: Final = EventRule(
    "page_viewed", ((c.ITEM_ID, c.ITEM_ID), ("product_id", c.ITEM_ID), *SHARED_LIFTS)
)

# The platform's own name for a list that its API has answered.
RECOMMENDATIONS_SHOWN: Final = "Recommendations Shown"
_SEGMENT: Final = {
    RECOMMENDATIONS_SHOWN: EventRule("item_impression", _PRODUCT, items=_PRODUCTS),
    "Product List Viewed": EventRule("item_impression", _PRODUCT, items=_PRODUCTS),
    "Product List Filtered": EventRule("item_impression", _PRODUCT, items=_PRODUCTS),
    "Promotion Viewed": EventRule("item_impression", _PROMOTION),
    "Promotion Clicked": EventRule("item_clicked", _PROMOTION),
    "Product Clicked": EventRule("item_clicked", _PRODUCT),
    # The `value` of Segment's product events is an amount of money, not a time.
    "Product Viewed": EventRule("item_viewed", _PRODUCT + _DWELL),
    "Product Added": EventRule("item_used", _PRODUCT + _DWELL),
    "Wishlist Product Added to Cart": EventRule("item_used", _PRODUCT + _DWELL),
    "Product Added to Wishlist": EventRule("item_liked", _PRODUCT),
    "Product Shared": EventRule("item_liked", _PRODUCT),
    "Product Reviewed": EventRule("item_rated", (*_PRODUCT, ("rating", c.VALUE))),
    "Order Completed": EventRule("item_converted", _PRODUCT, items=_PRODUCTS, is_priced=True),
    "Video Content Started": EventRule("item_viewed", _VIDEO),
    # Who saw it to its end spent its length on it; Segment gives that in seconds.
    "Video Content Completed": EventRule(
        "item_used", (*_VIDEO, ("total_length", c.VALUE)), scale=1000.0
    ),
    "Experiment Viewed": EventRule("experiment_exposed", _EXPERIMENT),
    "Survey Answered": EventRule("survey_answered", _SURVEY),
    "Survey Submitted": EventRule("survey_answered", _SURVEY),
    "Survey Completed": EventRule("survey_answered", _SURVEY),
    "NPS Survey Answered": EventRule("survey_answered", _SURVEY, added={"survey": "nps"}),
    "NPS Survey Submitted": EventRule("survey_answered", _SURVEY, added={"survey": "nps"}),
    "CSAT Survey Answered": EventRule("survey_answered", _SURVEY, added={"survey": "csat"}),
    "CSAT Survey Submitted": EventRule("survey_answered", _SURVEY, added={"survey": "csat"}),
    "Segment Consent Preference Updated": EventRule("consent_changed", SHARED_LIFTS),
    "Consent Preference Updated": EventRule("consent_changed", SHARED_LIFTS),
    "Consent Updated": EventRule("consent_changed", SHARED_LIFTS),
}

# By their type: which properties are read as the value of an event that has a canonical name.
_VALUES: Final[dict[str, _Lifts]] = {
    "item_viewed": (("value", c.VALUE), *_DWELL),
    "item_used": (("value", c.VALUE), *_DWELL),
    "item_rated": (("value", c.VALUE), ("rating", c.VALUE), ("score", c.VALUE)),
    "item_converted": (("value", c.VALUE), ("revenue", c.VALUE), ("total", c.VALUE)),
    "survey_answered": (("value", c.VALUE), ("score", c.VALUE), ("rating", c.VALUE)),
}
_OF_THE_DEVICE: Final[_Lifts] = tuple(
    (name, name) for name in (c.DEVICE_TYPE, c.PLATFORM, c.COUNTRY, c.APP_VERSION)
)


def canonical_lifts(event_type: str) -> _Lifts:
    """Return what is lifted from an event that is called like a canonical type."""
    items = ITEM_LIFTS if EVENT_TYPES[event_type].needs_item else ITEM_LIFTS[:1]
    experiment = _EXPERIMENT if event_type == "experiment_exposed" else ()
    values = _VALUES.get(event_type, (("value", c.VALUE),))
    return (*items, *experiment, *SHARED_LIFTS, *values, *_OF_THE_DEVICE)


# By folded name; a canonical type may be written in any style of case.
DEFAULT_RULES: Final = {
    **{folded(name): EventRule(name, canonical_lifts(name)) for name in EVENT_TYPES},
    **{folded(name): rule for name, rule in _SEGMENT.items()},
}
