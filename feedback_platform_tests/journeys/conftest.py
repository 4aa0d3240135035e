from __future__ import annotations

import pytest

from feedback_platform_tests.installation import Installation


@pytest.fixture(scope="module")
def loop(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """A simulated product, processed and trained once; whoever changes it works on a copy."""
    installation = Installation(tmp_path_factory.mktemp("loop") / "data")
    installation.simulate(users=300, days=21)
    installation.process()
    installation.train(trigger="initial")
    return installation
