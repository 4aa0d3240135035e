from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import pytest

from feedback_platform.errors import InvalidInputError
from feedback_platform.learning.ensemble import Ensemble, Member, standardised
from feedback_platform.learning.ranker_candidates import candidates_of
from feedback_platform.learning.ranking import Scores, pair_matrix
from feedback_platform_tests.learning.frames import at, scores_of

IDS = ("a", "b", "c", "d", "e")


@dataclass(frozen=True)
class Fixed:
    row: tuple[float, ...]
    item_ids: tuple[str, ...] = IDS

    def scores(self, user_ids: Sequence[str]) -> Scores:
        return np.tile(np.array(self.row, dtype=np.float32), (len(user_ids), 1))


RISING, FALLING = Fixed((1, 2, 3, 4, 5)), Fixed((5, 4, 3, 2, 1))
NOTHING = pair_matrix(scores_of(), ["u", "v"], IDS)


def test_sources_take_turns_and_no_item_comes_twice() -> None:
    sources = {"rising": RISING, "falling": FALLING}
    found = list(candidates_of(sources, {"u": at(1), "v": at(2)}, NOTHING, size=4))
    assert [each.user_id for each in found] == ["u", "v"]
    assert [each.at for each in found] == [at(1), at(2)]
    assert found[0].items.tolist() == [4, 0, 3, 1]
    expected = np.stack([standardised(s.scores(["u"]))[0] for s in sources.values()], axis=1)
    assert found[0].scores == pytest.approx(expected[[4, 0, 3, 1]])


def test_what_a_user_has_seen_is_no_candidate() -> None:
    seen = pair_matrix(scores_of(("u", "e", 1, 1, 0), ("u", "a", 1, 1, 0)), ["u", "v"], IDS)
    found = list(candidates_of({"rising": RISING}, {"u": at(0), "v": at(0)}, seen))
    assert found[0].items.tolist() == [3, 2, 1]
    assert found[1].items.tolist() == [4, 3, 2, 1, 0]


def test_sources_of_different_items_are_refused() -> None:
    other = Fixed((1, 2), ("a", "b"))
    with pytest.raises(InvalidInputError, match="same items"):
        list(candidates_of({"one": RISING, "other": other}, {"u": at(0)}, NOTHING))
    with pytest.raises(InvalidInputError, match="need sources"):
        list(candidates_of({}, {"u": at(0)}, NOTHING))


def test_what_nobody_may_be_listed_is_no_candidate_and_the_others_keep_their_scores() -> None:
    is_listable = np.array([True, True, True, False, True])
    found = list(candidates_of({"rising": RISING}, {"u": at(0)}, NOTHING, is_listable=is_listable))
    assert found[0].items.tolist() == [4, 2, 1, 0]
    expected = standardised(RISING.scores(["u"]))[0, [4, 2, 1, 0]]
    assert found[0].scores[:, 0] == pytest.approx(expected)


def test_a_sum_of_the_sources_beside_it_is_made_of_what_they_said() -> None:
    asked: list[str] = []

    class Asked(Fixed):
        def scores(self, user_ids: Sequence[str]) -> Scores:
            asked.append(self.item_ids[0])
            return super().scores(user_ids)

        def to_bytes(self) -> bytes:
            return b""

        def without_users(self, user_ids: Collection[str]) -> Asked:  # noqa: ARG002 - as others
            return self

    rising, uneven = Asked((1, 2, 3, 4, 5)), Asked((1, 0, 1, 0, 1))
    model = Ensemble((Member("one", "any", 2, rising), Member("two", "any", 1, uneven)))
    (found,) = candidates_of(model.sources, {"u": at(0)}, NOTHING)
    assert len(asked) == 2
    expected = standardised(model.scores(["u"]))[0, found.items]
    assert found.scores[:, 2].tolist() == expected.tolist()
