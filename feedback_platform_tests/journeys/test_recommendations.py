"""A list that the API has answered, and the click on it, on their way through the layers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from feedback_platform.adjustment.rules.metrics import METRICS
from feedback_platform.learning.exploration import Exploration
from feedback_platform.warehouse import published
from feedback_platform_tests.installation import Installation
from feedback_platform_tests.serving.made_up_lists import publish_made_up_lists
from feedback_platform_tests.serving.published_users import publish_users
from feedback_platform_tests.serving.running import RunningServer, running_server
from feedback_platform_tests.serving.test_recommendations import USERS, is_known, track
from feedback_platform_tests.waiting import until


def asked(server: RunningServer, user: str, query: str) -> dict[str, Any]:
    content: dict[str, Any] = server.ask("GET", f"/v1/recommendations/{user}?{query}").content
    return content


def test_what_was_recommended_comes_back_as_impressions_and_a_click_finds_its_own(
    tmp_path: Path,
) -> None:
    installation = Installation(tmp_path / "data")
    publish_made_up_lists(installation.lake, USERS, exploration=Exploration(0.1))
    publish_users(installation.settings.published_path, segments={}, opted_out=["opted-out"])
    with running_server(installation.settings.data_dir) as server:
        until(lambda: is_known(server))
        shown = asked(server, "ada", "limit=5&placement=shelf")
        plain = asked(server, "opted-out", "limit=2&placement=shelf")
        asked(server, "ada", "limit=5&placement=shelf&log=false")
        clicked = shown["items"][2]["item_id"]
        recommendation_id = shown["recommendation_id"]
        properties = {"product_id": clicked, "placement": "shelf"}
        properties |= {"recommendation_id": recommendation_id}
        track(server, "Product Clicked", "click", userId="ada", properties=properties)
    installation.settings.published_path.unlink()

    installation.process()

    found = installation.query(
        f"""
        select item_id, position, propensity, placement, properties ->> '/model_version' as version
        from interaction.interactions
        where event_type = 'item_impression' and recommendation_id = '{recommendation_id}'
        order by position
        """
    )
    assert found.rows() == [
        (each["item_id"], each["position"], each["propensity"], "shelf", "made-up")
        for each in shown["items"]
    ]
    without = installation.query(
        "select recommendation_id, count(*), count(propensity) from interaction.interactions "
        "where event_type = 'item_impression' and user_id = 'opted-out' group by all"
    )
    assert without.rows() == [(plain["recommendation_id"], 2, 0)]
    now = datetime.now(UTC)
    rates = published.query(
        installation.settings.published_path,
        METRICS["click_through_rate"].observed,
        [now - timedelta(hours=1), now],
    )
    assert {
        (row["recommendation_id"], row["item_id"])
        for row in rates.iter_rows(named=True)
        if row["value"]
    } == {(recommendation_id, clicked)}
    assert set(rates["model_version"]) == {"made-up"}
    assert rates.height == 7
    daily = installation.query(
        "select sum(impressions)::int, sum(clicks)::int from metrics.engagement_daily "
        "where placement = 'shelf'"
    )
    assert daily.rows() == [(7, 1)]
