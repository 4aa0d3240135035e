"""The items of a file of lists: what they are called, what everybody thinks, what follows what."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from feedback_platform.learning.online.array_file import ArrayFile
from feedback_platform.learning.ranker_features import OF_ITEMS
from feedback_platform.learning.ranker_sequences import FADING, LAST

Indexes = NDArray[np.int64]
# Sixteen bits: a request looks at hundreds of items, and a small array is made faster.
Places = NDArray[np.int16]

_FADED = (FADING ** np.arange(LAST)).astype(np.float32)


@dataclass(frozen=True, eq=False)
class Following:
    """What follows some items, each pair apart.

    Attributes:
        items: that follow; one may follow several.
        weights: how much.
        leaders: the item that each follows.
    """

    items: NDArray[np.int32]
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

    def after(self, last: Indexes) -> Following:
        """Return what follows a user's last items, the newest last; as many as `LAST` speak."""
        if len(last) == 1:
            item = int(last[0])
            part = slice(int(self.starts[item]), int(self.starts[item + 1]))
            items = self.items[part]
            # Nothing has faded yet: the newest counts in full.
            return Following(items, self.weights[part], np.full(len(items), item))
        newest = last[: -LAST - 1 : -1]
        starts = self.starts.take(newest)
        lengths = self.starts.take(newest + 1) - starts
        of_place = np.arange(len(newest)).repeat(lengths)
        # Where each part begins in the file, less where it begins here.
        entries = (starts - lengths.cumsum() + lengths).take(of_place) + np.arange(len(of_place))
        return Following(
            self.items.take(entries),
            self.weights.take(entries) * _FADED.take(of_place),
            newest.take(of_place),
        )


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
    titles: list[str]
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
            titles=file.texts("titles", size).all(),
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
        found = self._categories_of.get(item)
        if found is None:
            part = self.category_lists[self.category_starts[item] : self.category_starts[item + 1]]
            found = tuple(self.category_names[category] for category in part.tolist())
            self._categories_of[item] = found
        return found

    @cached_property
    def _categories_of(self) -> dict[int, tuple[str, ...]]:
        return {}

    @contextmanager
    def places(self, items: Indexes) -> Iterator[Places]:
        """Give where each item stands among some, -1 for the others, (all items,).

        One array serves all requests of a thread, one after the other: to make one of a hundred
        thousand items takes longer than to use it.
        """
        places: Places | None = getattr(self._of_thread, "places", None)
        if places is None:
            places = np.full(len(self.item_ids), -1, dtype=np.int16)
        # Whoever comes meanwhile, or after an error, makes another one.
        self._of_thread.places = None
        places[items] = np.arange(len(items), dtype=np.int16)
        yield places
        places[items] = -1
        self._of_thread.places = places

    @cached_property
    def _of_thread(self) -> threading.local:
        return threading.local()

    @cached_property
    def has_boosted(self) -> bool:
        """Whether any item is boosted."""
        return bool(self.is_boosted.any())


def sums_of(following: Following, places: Places, size: int) -> NDArray[np.float32]:
    """Return how much each of some items follows in all, (size,)."""
    # Those that are not among them come together in front.
    found = places.take(following.items) + 1
    sums = np.bincount(found, following.weights, minlength=size + 1)[1:]
    return sums.astype(np.float32)


def leaders_of(following: Following, places: Places, size: int) -> Indexes:
    """Return which item each of some items follows most, -1 where it follows none, (size,)."""
    found = places.take(following.items)
    (wanted,) = np.nonzero(found >= 0)
    wanted = wanted[following.weights[wanted].argsort(kind="stable")]
    leaders = np.full(size, -1)
    # What is written last stays.
    leaders[found[wanted]] = following.leaders[wanted]
    return leaders
