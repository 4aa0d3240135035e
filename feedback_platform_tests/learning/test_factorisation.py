from __future__ import annotations

import io
import sys
import zipfile

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from feedback_platform.errors import InvalidInputError, NothingToLearnError, PermanentError
from feedback_platform.learning.arrays import pack
from feedback_platform.learning.factorisation import (
    Factorisation,
    FactorisationParameters,
    fit_factorisation,
)
from feedback_platform_tests.learning.frames import (
    NO_ITEMS,
    NO_USERS,
    items_of,
    scores_of,
    two_tastes,
)

SMALL = FactorisationParameters(components=4, epochs=10)
ODD_IDS = ("", "a\0", "a", "ä'\"\n", "日本", "x" * 300)
ARRAYS: dict[str, NDArray[np.float32]] = {
    "user_embeddings": np.arange(8, dtype=np.float32).reshape(2, 4) / np.float32(7),
    "user_biases": np.array([0.5, -0.5], dtype=np.float32),
    "item_embeddings": np.arange(24, dtype=np.float32).reshape(6, 4) / np.float32(5),
    "item_biases": np.arange(6, dtype=np.float32),
    "item_popularity": np.arange(6, dtype=np.float32) * 2,
}
MODEL = Factorisation(user_ids=("ann", "bob"), item_ids=ODD_IDS, **ARRAYS)


def test_two_tastes_are_told_apart() -> None:
    model = fit_factorisation(two_tastes(), NO_ITEMS, NO_USERS, parameters=SMALL, seed=1)
    scores = model.scores(["u000", "u001"])
    is_even = np.array([int(item[1:]) % 2 == 0 for item in model.item_ids])
    assert scores[0][is_even].min() > scores[0][~is_even].max()
    assert scores[1][~is_even].min() > scores[1][is_even].max()


def test_very_many_positives_get_fewer_passes() -> None:
    frame = two_tastes(users=20)
    positives = frame.filter(pl.col("feedback_score") > 0.5).height

    def fitted(epochs: int, most_steps: int) -> bytes:
        chosen = FactorisationParameters(components=4, epochs=epochs, most_steps=most_steps)
        return fit_factorisation(frame, NO_ITEMS, NO_USERS, parameters=chosen, seed=1).to_bytes()

    assert fitted(9, 3 * positives) == fitted(3, 9 * positives)
    assert fitted(9, 3 * positives) != fitted(9, 9 * positives)
    assert fitted(9, 1) == fitted(1, 9 * positives)


def test_a_seed_gives_one_model_whatever_the_order_of_rows() -> None:
    frame = two_tastes(users=20)
    items = items_of(("i000", None, ["x", "y"]), ("i999", "Never seen", ["y", "x", "x"]))
    users = pl.DataFrame({"user_id": ["u000", "u001"], "attributes": [["plan:pro"], []]})

    def fitted(seed: int, *, is_reversed: bool) -> bytes:
        frames = (frame, items, users)
        ordered = [part.reverse() for part in frames] if is_reversed else list(frames)
        return fit_factorisation(*ordered, parameters=SMALL, seed=seed).to_bytes()

    assert fitted(1, is_reversed=False) == fitted(1, is_reversed=True)
    assert fitted(1, is_reversed=False) != fitted(2, is_reversed=False)


def test_items_without_feedback_are_scored_by_their_categories() -> None:
    frame = two_tastes()
    described = [(f"i{n:03d}", None, ["even" if n % 2 == 0 else "odd"]) for n in range(26)]
    model = fit_factorisation(frame, items_of(*described), NO_USERS, parameters=SMALL, seed=1)
    new_even, new_odd = model.item_rows["i024"], model.item_rows["i025"]
    assert model.scores(["u000"])[0, new_even] > model.scores(["u000"])[0, new_odd]
    assert model.scores(["u001"])[0, new_even] < model.scores(["u001"])[0, new_odd]
    assert model.item_popularity[new_even] == 0


def test_categories_can_be_left_out() -> None:
    frame = two_tastes(users=10)
    items = items_of(*[(f"i{n:03d}", None, ["x"]) for n in range(24)])
    bare = FactorisationParameters(components=4, epochs=2, feature_weight=0)
    with_items = fit_factorisation(frame, items, NO_USERS, parameters=bare, seed=1)
    without = fit_factorisation(frame, NO_ITEMS, NO_USERS, parameters=bare, seed=1)
    assert with_items.to_bytes() == without.to_bytes()


def test_scores_are_products_of_embeddings_plus_biases() -> None:
    expected = ARRAYS["item_embeddings"] @ ARRAYS["user_embeddings"][1] + np.arange(6) - 0.5
    assert MODEL.scores(["bob"])[0] == pytest.approx(expected)


def test_an_unknown_user_is_the_mean_user() -> None:
    mean = MODEL.scores(["ann", "bob"]).mean(axis=0)
    assert MODEL.scores(["who", "ann"])[0] == pytest.approx(mean)
    assert MODEL.scores([]).shape == (0, 6)


def test_a_model_survives_bytes_with_all_its_ids() -> None:
    again = Factorisation.from_bytes(MODEL.to_bytes())
    assert again.user_ids == MODEL.user_ids
    assert again.item_ids == ODD_IDS
    for name, array in ARRAYS.items():
        assert (getattr(again, name) == array).all()
    assert again.to_bytes() == MODEL.to_bytes()


@pytest.mark.parametrize(
    ("name", "array", "message"),
    [
        ("user_biases", np.zeros(3, np.float32), r"user_biases has the shape \(3,\), not \(2,\)"),
        ("user_embeddings", np.zeros((2, 5), np.float32), r"\(2, 5\), not \(2, 4\)"),
        ("item_embeddings", np.zeros(6, np.float32), r"item_embeddings has the shape \(6,\)"),
        ("item_biases", np.zeros(6), "item_biases is float64"),
        ("item_popularity", np.full(6, np.nan, np.float32), "not finite"),
    ],
)
def test_parts_that_do_not_fit_are_named(
    name: str, array: NDArray[np.float32], message: str
) -> None:
    data = pack({**ARRAYS, name: array}, {"user_ids": ("ann", "bob"), "item_ids": ODD_IDS})
    with pytest.raises(InvalidInputError, match=message):
        Factorisation.from_bytes(data)


def test_missing_parts_and_repeated_ids_are_named() -> None:
    with pytest.raises(InvalidInputError, match="no array 'user_ids_utf8'"):
        Factorisation.from_bytes(pack(ARRAYS, {"item_ids": ODD_IDS}))
    with pytest.raises(InvalidInputError, match="user_ids has an entry twice"):
        Factorisation.from_bytes(pack(ARRAYS, {"user_ids": ("a", "a"), "item_ids": ODD_IDS}))
    with pytest.raises(InvalidInputError, match="no users or no items"):
        Factorisation.from_bytes(pack(ARRAYS, {"user_ids": (), "item_ids": ODD_IDS}))


def test_nothing_is_unpickled() -> None:
    buffer = io.BytesIO()
    np.savez(buffer, user_ids_utf8=np.array([{"a": 1}], dtype=object))
    with pytest.raises(InvalidInputError, match="damaged or none at all"):
        Factorisation.from_bytes(buffer.getvalue())


def test_whatever_is_no_archive_of_arrays_is_refused() -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("notes.txt", "hello")
    for data in (b"", b"PK", b"{}", MODEL.to_bytes()[:-40], buffer.getvalue()):
        with pytest.raises(InvalidInputError):
            Factorisation.from_bytes(data)


@given(place=st.integers(0, len(MODEL.to_bytes()) - 1), value=st.integers(0, 255))
@settings(max_examples=300)
def test_a_damaged_byte_is_refused_or_harmless(place: int, value: int) -> None:
    data = bytearray(MODEL.to_bytes())
    data[place] = value
    try:
        again = Factorisation.from_bytes(bytes(data))
    except InvalidInputError:
        return
    assert again.to_bytes() == MODEL.to_bytes()


def test_no_preference_is_nothing_to_learn() -> None:
    for frame in (
        scores_of(),
        scores_of(("ann", "a", 0.2, 1, 1), ("ann", "b", 0.2, 1, 1)),
        scores_of(("ann", "a", 0.9, 0, 1), ("ann", "b", 0.9, 0, 1)),
        scores_of(("ann", "a", 0.9, 1, 1)),
    ):
        with pytest.raises(NothingToLearnError, match="no preference to learn yet"):
            fit_factorisation(frame, NO_ITEMS, NO_USERS, parameters=SMALL, seed=1)


def test_parameters_out_of_range_are_refused() -> None:
    with pytest.raises(InvalidInputError, match="epochs cannot be 0"):
        FactorisationParameters(epochs=0)
    with pytest.raises(InvalidInputError, match="learning_rate cannot be nan"):
        FactorisationParameters(learning_rate=float("nan"))


def test_without_lightfm_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lightfm", None)
    with pytest.raises(PermanentError, match="C compiler"):
        fit_factorisation(two_tastes(4), NO_ITEMS, NO_USERS, parameters=SMALL, seed=1)


def test_bpr_tells_two_tastes_apart_and_is_another_model() -> None:
    frame = two_tastes()
    parameters = FactorisationParameters(components=4, epochs=30, loss="bpr")
    model = fit_factorisation(frame, NO_ITEMS, NO_USERS, parameters=parameters, seed=1)
    scores = model.scores(["u000", "u001"])
    is_even = np.array([int(item[1:]) % 2 == 0 for item in model.item_ids])
    assert scores[0][is_even].mean() > scores[0][~is_even].mean()
    assert scores[1][~is_even].mean() > scores[1][is_even].mean()
    warp = FactorisationParameters(components=4, epochs=30)
    other = fit_factorisation(frame, NO_ITEMS, NO_USERS, parameters=warp, seed=1)
    assert model.to_bytes() != other.to_bytes()


def test_a_loss_that_is_none_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="loss cannot be 'hinge'"):
        FactorisationParameters(loss="hinge")  # type: ignore[arg-type]
