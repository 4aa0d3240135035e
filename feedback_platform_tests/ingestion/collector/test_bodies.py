"""Bodies: decompressed within their limit, and counted until their lines are."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from feedback_platform.ingestion.collector.bodies import Bodies
from feedback_platform.ingestion.collector.group_commit import GroupCommit
from feedback_platform.ingestion.collector.limits import Limits
from feedback_platform.ingestion.collector.refusals import RequestRefusedError
from feedback_platform.lake.store import Lake

MOST = 1000
HELD = 1500


@pytest.fixture
def bodies(tmp_path: Path) -> Bodies:
    limits = Limits(held_bytes=HELD)
    return Bodies(GroupCommit(Lake(tmp_path.as_uri()), instance="i1", limits=limits), limits)


def reading(bodies: Bodies, sent: bytes, headers: Mapping[bytes, bytes] | None = None) -> Any:
    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": sent, "more_body": False}

    length = {b"content-length": b"%d" % len(sent)}
    return bodies.reading({**length, **(headers or {})}, receive, most=MOST)


def read(bodies: Bodies, sent: bytes, encoding: bytes) -> bytes:
    async def whole() -> bytes:
        async with reading(bodies, sent, {b"content-encoding": encoding}) as body:
            found: bytes = body
            return found

    return asyncio.run(whole())


def packed(content: bytes) -> bytes:
    return gzip.compress(content, mtime=0)


@pytest.mark.parametrize(
    "encoding", [b"gzip", b"X-GZIP", b"gzip, identity", b" identity ,gzip", b"gzip,"]
)
def test_gzip_may_be_named_in_several_ways(bodies: Bodies, encoding: bytes) -> None:
    assert read(bodies, packed(b"ab"), encoding) == b"ab"


@pytest.mark.parametrize("encoding", [b"", b"identity", b"identity, identity"])
def test_no_encoding_may_be_named_too(bodies: Bodies, encoding: bytes) -> None:
    assert read(bodies, b"ab", encoding) == b"ab"


@pytest.mark.parametrize("encoding", [b"br", b"gzip, gzip", b"gzip, br"])
def test_another_encoding_is_415(bodies: Bodies, encoding: bytes) -> None:
    with pytest.raises(RequestRefusedError, match="gzip") as refused:
        read(bodies, packed(b"ab"), encoding)
    assert refused.value.status == 415


def test_a_gzip_body_may_have_several_members(bodies: Bodies) -> None:
    members = [packed(b"first "), packed(b""), packed(b"second")]
    assert read(bodies, b"".join(members), b"gzip") == b"first second"


def test_the_members_of_a_gzip_body_have_one_limit_together(bodies: Bodies) -> None:
    half = packed(b"x" * (MOST // 2))
    assert len(read(bodies, half * 2, b"gzip")) == MOST
    with pytest.raises(RequestRefusedError, match="1,000"):
        read(bodies, half * 2 + packed(b"x"), b"gzip")


@pytest.mark.parametrize(
    "sent",
    [b"", packed(b"ab")[:-1], packed(b"ab") + b"x", packed(b"ab") + packed(b"cd")[:-3], b"x"],
)
def test_what_is_not_gzip_throughout_is_refused(bodies: Bodies, sent: bytes) -> None:
    with pytest.raises(RequestRefusedError, match="gzip") as refused:
        read(bodies, sent, b"gzip")
    assert refused.value.code == "malformed_gzip"


def test_a_body_takes_its_decompressed_room_until_its_lines_are_counted(bodies: Bodies) -> None:
    bomb = packed(b"x" * 900)
    assert len(bomb) < 50
    compressed = {b"content-encoding": b"gzip"}

    async def scenario() -> None:
        async with reading(bodies, bomb, compressed):
            # 900 of 1,500 bytes are taken.
            with pytest.raises(RequestRefusedError) as refused:
                async with reading(bodies, b"y" * 601):
                    pass
            assert refused.value.status == 503
            with pytest.raises(RequestRefusedError) as refused:
                async with reading(bodies, bomb, compressed):
                    pass
            assert refused.value.status == 503
            async with reading(bodies, b"y" * 600):
                pass
        async with reading(bodies, b"y" * MOST):
            pass

    asyncio.run(scenario())
