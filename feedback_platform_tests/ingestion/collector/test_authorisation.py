from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback_platform.ingestion.collector.authorisation import WriteKeys
from feedback_platform.ingestion.collector.refusals import RequestRefusedError

KEYS = WriteKeys({"web": "alpha", "mobile": "beta"})


def test_each_key_has_its_name() -> None:
    assert [KEYS.name_of(key) for key in (b"alpha", b"beta", b"alph", b"")] == [
        "web",
        "mobile",
        None,
        None,
    ]


def test_without_keys_everybody_is_let_in_without_a_name() -> None:
    nobody = WriteKeys({})
    assert nobody.are_open
    assert nobody.sender({b"authorization": b"Bearer x"}, "y") is None


def test_the_user_name_of_basic_is_the_key() -> None:
    for user in (b"alpha:", b"alpha", b"alpha:password:with:colons"):
        credentials = b"basic " + base64.b64encode(user)
        assert KEYS.sender({b"authorization": credentials}) == "web"


def test_a_key_in_the_header_comes_before_one_in_the_body() -> None:
    assert KEYS.sender({b"authorization": b"Bearer alpha"}, "beta") == "web"


@given(st.binary(max_size=60), st.none() | st.integers() | st.text(max_size=10))
def test_whatever_the_header_holds_the_answer_is_a_name_or_401(
    authorization: bytes, key: str | int | None
) -> None:
    refusal: RequestRefusedError | None = None
    try:
        name = KEYS.sender({b"authorization": authorization}, key)
    except RequestRefusedError as refused:
        name, refusal = None, refused
    assert (name in {"web", "mobile"}) == (refusal is None)
    assert refusal is None or (refusal.status == 401 and "alpha" not in str(refusal))


def test_the_refusal_does_not_repeat_the_key() -> None:
    with pytest.raises(RequestRefusedError) as refused:
        KEYS.sender({}, "my-secret")
    assert "my-secret" not in str(refused.value)
