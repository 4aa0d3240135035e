"""The items of a file of lists: what they are called, what everybody thinks, what follows what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from feedback_platform.learning.online.array_file import ArrayFile, Texts
from feedback_platform.learning.ranker_features import OF_ITEMS
from feedback_platform.learning.ranker_sequences import FADING, LAST

Indexes = NDArray[np.int64]

_FADED = (FADING ** np.arange(LAST)).astype(np.float32)


@dataclass(frozen=True, eq=False)
class Following:
    """What follows some items, each pair apart.

    Attributes:
        items: that follow; one may follow several.
        weights: how much.
        leaders: the item that each follows.
    """

    items: Indexes
    weights: NDArray[np.float32]
    leaders: Indexes


@dataclass(frozen=True, eq=False)
class Neighbours:
    """What people took shortly after or before each item, the strongest of them.

    Attributes:
        starts: (items + 1,), where each item's part begins.
        items: the neighbours, by index.
        weights: of each.
    """

    starts: NDArray[np.int64]
    items: NDArray[np.int32]
    weights: NDArray[np.float32]

    def after(self, last: Sequence[int]) -> Following:
        """Return what follows a user's last items, the newest last; as many as `LAST` speak."""
        newest = list(reversed(last[-LAST:]))
        parts = [slice(int(self.starts[item]), int(self.starts[item + 1])) for item in newest]
        lengths = [part.stop - part.start for part in parts]
        if not sum(lengths):
            return Following(np.empty(0, np.int64), np.empty(0, np.float32), np.empty(0, np.int64))
        place = np.repeat(np.arange(len(parts)), lengths)
        items = np.concatenate([self.items[part] for part in parts]).astype(np.int64)
        weights = np.concatenate([self.weights[part] for part in parts]) * _FADED[place]
        return Following(items, weights, np.array(newest)[place])


@dataclass(frozen=True, eq=False)
class Catalogue:
    """The items, in the order of their indexes.

    Attributes:
        item_ids: which.
        titles: what each is called.
        categories: (items x categories), shares as the ranker knows them.
        category_names, category_starts, category_lists: all categories of each item.
        features: (items x `OF_ITEMS`), those of the ranker's that depend on the item alone.
        popularity: how much everybody likes each.
        popular: indexes, the most popular first, without what may not be listed.
        is_available, is_boosted: of each item.
        neighbours: what follows what.
        segments: names.
        lifts: (segments x items), how many times as often a segment likes it as everybody; 0 where
            too few do.
    """

    item_ids: list[str]
    titles: Texts
    categories: NDArray[np.float32]
    category_names: list[str]
    category_starts: NDArray[np.int64]
    category_lists: NDArray[np.int32]
    features: NDArray[np.float32]
    popularity: NDArray[np.float32]
    popular: NDArray[np.int32]
    is_available: NDArray[np.bool_]
    is_boosted: NDArray[np.bool_]
    neighbours: Neighbours
    segments: list[str]
    lifts: NDArray[np.float32]

    @classmethod
    def read(cls, file: ArrayFile) -> Catalogue:
        """Return the items of a file.

        Raises:
            InvalidInputError: its parts do not fit together.
        """
        item_ids = file.texts("item_ids").all()
        size = len(item_ids)
        names = file.texts("category_names").all()
        lists = file.indexes("category_lists", (None,), len(names))
        neighbours = file.indexes("neighbours", (None,), size)
        segments = file.texts("segments").all()
        return cls(
            item_ids=item_ids,
            titles=file.texts("titles", size),
            categories=file.array("categories", np.float32, (size, None)),
            category_names=names,
            category_starts=file.starts("category_starts", size, len(lists)),
            category_lists=lists,
            features=file.array("item_features", np.float32, (size, OF_ITEMS)),
            popularity=file.array("popularity", np.float32, (size,)),
            popular=file.indexes("popular", (None,), size),
            is_available=file.array("is_available", np.uint8, (size,)).astype(np.bool_),
            is_boosted=file.array("is_boosted", np.uint8, (size,)).astype(np.bool_),
            neighbours=Neighbours(
                file.starts("neighbour_starts", size, len(neighbours)),
                neighbours,
                file.array("neighbour_weights", np.float32, (len(neighbours),)),
            ),
            segments=segments,
            lifts=file.array("segment_lifts", np.float32, (len(segments), size)),
        )

    @cached_property
    def rows(self) -> Mapping[str, int]:
        """Index of each item."""
        return {item_id: row for row, item_id in enumerate(self.item_ids)}

    @cached_property
    def category_sizes(self) -> NDArray[np.float32]:
        """How many items each category has, an item of several categories in parts."""
        return self.categories.sum(axis=0)

    def categories_of(self, item: int) -> tuple[str, ...]:
        """Return the names of an item's categories."""
        part = self.category_lists[self.category_starts[item] : self.category_starts[item + 1]]
        return tuple(self.category_names[category] for category in part.tolist())

    def sums(self, following: Following, items: Indexes) -> NDArray[np.float32]:
        """Return how much each of some items follows in all, (n,)."""
        places, is_wanted = self._places(following, items)
        sums = np.bincount(places, following.weights[is_wanted], minlength=len(items))
        return sums.astype(np.float32)

    def leaders(self, following: Following, items: Indexes) -> Indexes:
        """Return which item each of some items follows most, -1 where it follows none, (n,)."""
        places, is_wanted = self._places(following, items)
        order = np.argsort(following.weights[is_wanted], kind="stable")
        leaders = np.full(len(items), -1)
        # What is written last stays.
        leaders[places[order]] = following.leaders[is_wanted][order]
        return leaders

    def _places(self, following: Following, items: Indexes) -> tuple[Indexes, NDArray[np.bool_]]:
        """Return where what follows stands among some items, and which of it does."""
        places = np.full(len(self.item_ids), -1)
        places[items] = np.arange(len(items))
        found = places[following.items]
        is_wanted = found >= 0
        return found[is_wanted], is_wanted
