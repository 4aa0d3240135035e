"""What shipping switches, without a store behind it."""

from __future__ import annotations


class Switch:
    """A flag that is switched, and a registry, until they are told to fail."""

    def __init__(self) -> None:
        self.variant: str | None = "grid"
        self.champion = ""
        self.error: Exception | None = None

    def read(self, _flag: str) -> str | None:
        return self.variant

    def has_switched(self, _flag: str, _variant: str, *, who: str) -> bool:
        raise NotImplementedError(who)

    def switch(self, flag: str, variant: str, *, who: str, why: str, expected: str) -> str:
        if self.error is not None:
            raise self.error
        assert (flag, who, expected) == ("layout-home", "experiment:cards-at-home", self.variant)
        assert why
        self.variant = variant
        return expected

    def promote(self, model: str, version: str, *, reason: str) -> None:
        assert (model, bool(reason)) == ("recommender", True)
        self.champion = version
