from __future__ import annotations

import pytest

from feedback_platform.serving.metrics.requests import RequestTally
from feedback_platform_tests.serving.metrics.readings import readings

EVENT_PATHS = ("/v1/track", "/v1/t", "/v1/batch", "/v1/cloudevents")


@pytest.fixture
def tally() -> RequestTally:
    return RequestTally(EVENT_PATHS)


@pytest.mark.parametrize(
    ("path", "endpoint"),
    [
        ("/v1/track", "events"),
        ("/v1/t", "events"),
        ("/v1/batch", "batch"),
        ("/v1/cloudevents", "cloudevents"),
        ("/v1/projects/a-key/settings", "settings"),
        ("/ofrep/v1/evaluate/flags/price", "flags"),
        ("/ofrep/v1/stream", "flag_stream"),
        ("/registry/subjects/x/versions", "registry"),
        ("/v1/recommendations/ada", "recommendations"),
        ("/v1/users/ada/data", "users"),
        ("/opendsr/discovery", "opendsr"),
        ("/demo/page.js", "demo"),
        ("/readyz", "health"),
        ("/metrics", "metrics"),
        ("/docs/static/swagger-ui.css", "documentation"),
        ("/v1/whatever", "other"),
        ("/", "other"),
    ],
)
def test_each_path_belongs_to_one_of_few_endpoints(
    tally: RequestTally, path: str, endpoint: str
) -> None:
    assert tally.endpoint(path) == endpoint


def test_requests_are_counted_by_endpoint_method_and_class_of_status(tally: RequestTally) -> None:
    for status in (200, 204, 404, 0):
        tally.note("events", "POST", status, 0.1)
    assert readings(tally.metrics())["feedback_http_requests"] == {
        ("events", "POST", "2xx"): 2,
        ("events", "POST", "4xx"): 1,
        ("events", "POST", "none"): 1,
    }


def test_a_method_that_somebody_made_up_is_no_label(tally: RequestTally) -> None:
    tally.note("events", "BREW", 405, 0.1)
    assert list(readings(tally.metrics())["feedback_http_requests"]) == [("events", "other", "4xx")]


def test_durations_are_counted_between_the_bounds(tally: RequestTally) -> None:
    for seconds in (0.0004, 0.0005, 0.003, 7, 11):
        tally.note("flags", "POST", 200, seconds)
    (found,) = readings(tally.metrics())["feedback_http_request_duration_seconds"].values()
    # 0.5, 1, 2.5, 5 ms …, 10 s, and beyond.
    assert found == [2, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, pytest.approx(18.0039)]


def test_a_stream_has_no_duration(tally: RequestTally) -> None:
    tally.note("flag_stream", "GET", 200, 3600)
    assert not readings(tally.metrics())["feedback_http_request_duration_seconds"]
