from __future__ import annotations

import pytest

from feedback_platform.cleaning.configuration import default_rules
from feedback_platform.cleaning.kept_rules import keep_rules, kept_rules
from feedback_platform.errors import InvalidInputError
from feedback_platform.lake.store import Lake


def test_rules_are_found_again_under_their_version(lake: Lake) -> None:
    rules = default_rules()
    assert kept_rules(lake, rules.version) is None

    keep_rules(lake, rules)
    keep_rules(lake, rules)

    found = kept_rules(lake, rules.version)
    assert found == rules
    assert found.version == rules.version


@pytest.mark.parametrize("content", [b"", b"[]", b'{"signals": [{"colour": 1}]}'])
def test_damaged_rules_are_named(lake: Lake, content: bytes) -> None:
    lake.put("reference/rules/v1.json", content, mode="create")

    with pytest.raises(InvalidInputError, match=r"reference/rules/v1.json are damaged"):
        kept_rules(lake, "v1")
