"""A store in memory that counts what it is asked, fails and hangs when told to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from feedback_platform.errors import LakeObjectExistsError, LakeUnavailableError


class MemoryStore:
    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.reads = 0
        self.is_failing = False
        self.is_waiting = False
        self.before_find: Callable[[], object] | None = None

    def find(self, key: str) -> bytes | None:
        self._asked()
        return self.objects.get(key)

    def put(self, key: str, data: bytes, *, mode: Literal["create", "overwrite"]) -> None:
        if mode == "create" and self.objects.setdefault(key, data) != data:
            raise LakeObjectExistsError(key, "memory")
        self.objects[key] = data

    def list_keys(self, prefix: str, *, after: str | None = None) -> list[str]:
        self._asked()
        return sorted(k for k in self.objects if k.startswith(prefix) and k > (after or ""))

    def _asked(self) -> None:
        self.reads += 1
        if self.before_find is not None:
            self.is_waiting = True
            self.before_find()
        if self.is_failing:
            raise LakeUnavailableError("away")
