from __future__ import annotations

from collections import Counter

from feedback_platform.simulation.product import catalogue


def test_the_product_has_eight_categories_of_twelve_features() -> None:
    counts = Counter(item.category for item in catalogue())
    assert list(counts.values()) == [12] * 8


def test_no_two_features_share_an_id() -> None:
    assert len({item.item_id for item in catalogue()}) == 96


def test_a_feature_is_called_by_its_title() -> None:
    assert catalogue()[0].title == "Scheduled workflows"
    assert catalogue()[0].item_id == "scheduled-workflows"
