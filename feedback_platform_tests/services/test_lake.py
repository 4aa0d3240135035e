"""A lake on a real S3 server is a lake, and says what is wrong with its address or its keys."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from feedback_platform.errors import LakeAccessError
from feedback_platform.lake.store import Lake
from feedback_platform_tests.lake.conformance import OPERATIONS, RemoteLakeConformance


class TestAnS3Server(RemoteLakeConformance):
    @pytest.fixture
    def any_lake(self, s3_lake_url: str) -> Lake:
        return Lake(s3_lake_url)

    @pytest.fixture
    def deaf_lake(self, s3_lake_url: str, free_port: int, monkeypatch: pytest.MonkeyPatch) -> Lake:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{free_port}")
        return Lake(s3_lake_url)

    @pytest.fixture
    def put_many(self) -> Callable[[Lake, list[str]], None]:
        def put(lake: Lake, keys: list[str]) -> None:
            with ThreadPoolExecutor(8) as pool:
                list(pool.map(lambda key: lake.put(key, b"", mode="overwrite"), keys))

        return put


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("variable", ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"])
def test_wrong_credentials_are_named_and_not_shown(
    s3_lake_url: str, monkeypatch: pytest.MonkeyPatch, variable: str, operation: str
) -> None:
    monkeypatch.setenv(variable, "not-the-right-one")

    with pytest.raises(LakeAccessError, match=r"refused access to .*the credentials") as caught:
        OPERATIONS[operation](Lake(s3_lake_url))

    assert "not-the-right-one" not in str(caught.value)
