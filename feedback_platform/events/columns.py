"""The names of the event's columns; every other file imports them from here."""

from __future__ import annotations

from typing import Final

EVENT_ID: Final = "event_id"
EVENT_TYPE: Final = "event_type"
USER_ID: Final = "user_id"
ANONYMOUS_ID: Final = "anonymous_id"
SESSION_ID: Final = "session_id"
ITEM_ID: Final = "item_id"
OCCURRED_AT: Final = "occurred_at"
SENT_AT: Final = "sent_at"
RECEIVED_AT: Final = "received_at"
VALUE: Final = "value"
RECOMMENDATION_ID: Final = "recommendation_id"
POSITION: Final = "position"
PROPENSITY: Final = "propensity"
PLACEMENT: Final = "placement"
EXPERIMENT_ID: Final = "experiment_id"
VARIANT: Final = "variant"
DEVICE_TYPE: Final = "device_type"
PLATFORM: Final = "platform"
COUNTRY: Final = "country"
APP_VERSION: Final = "app_version"
PROPERTIES: Final = "properties"

# Where a row came from: the raw object in the lake and the line in it, counted from 0.
RAW_OBJECT: Final = "raw_object"
RAW_ROW: Final = "raw_row"
