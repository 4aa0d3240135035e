"""A sender of events that loses none, and gives up on none."""

from __future__ import annotations

import json
import random
import threading
import time
from http.client import HTTPConnection, HTTPException
from typing import Any, Final, Self

_TURNS_TO_A_MISTAKE: Final = 10
# However busy the machine.
_ANSWER_SECONDS: Final = 900.0


class SteadyClient:
    """Sends batches at a rate, as Segment's libraries do: until they are answered.

    A batch that gets no answer, or one that says to try again, is sent again with the same ids.

    Attributes:
        acknowledged: ids of the messages that were taken.
        refused: ids of those that were refused for good.
        out_of_range: ids of those that are put into quarantine where they are taken.
    """

    def __init__(self, port: int, chance: random.Random, *, batches_a_second: float) -> None:
        self.port, self._chance = port, chance
        self._pause = 1 / batches_a_second
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._send, daemon=True)
        self.sent: list[str] = []
        self.acknowledged: list[str] = []
        self.refused: list[str] = []
        self.out_of_range: set[str] = set()
        self.again = 0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Wait until the last batch has its answer."""
        self._stopping.set()
        self._thread.join(_ANSWER_SECONDS)
        assert not self._thread.is_alive(), "the last batch was not answered"

    def _send(self) -> None:
        turn = 0
        while not self._stopping.is_set():
            turn += 1
            self._deliver([self._message(turn, each) for each in range(5)])
            if turn % _TURNS_TO_A_MISTAKE == 0:
                # Of nobody. By itself it is refused, and sent no second time.
                nobody = self._message(turn, 5)
                del nobody["userId"]
                self._deliver([nobody])
            self._stopping.wait(self._pause)

    def _deliver(self, batch: list[dict[str, Any]]) -> None:
        ids = [message["messageId"] for message in batch]
        self.sent += ids
        while True:
            status = self._answer(batch)
            if status == 200:
                self.acknowledged += ids
                return
            if status in {400, 413}:
                self.refused += ids
                return
            self.again += 1
            time.sleep(0.1)

    def _answer(self, batch: list[dict[str, Any]]) -> int | None:
        path = "/v1/track" if len(batch) == 1 else "/v1/batch"
        body = json.dumps(batch[0] if len(batch) == 1 else {"batch": batch})
        connection = HTTPConnection("127.0.0.1", self.port, timeout=15)
        try:
            connection.request("POST", path, body)
            return connection.getresponse().status
        except (OSError, HTTPException):
            return None
        finally:
            connection.close()

    def _message(self, turn: int, place: int) -> dict[str, Any]:
        user = self._chance.randrange(40)
        message: dict[str, Any] = {
            "type": "track",
            "messageId": f"{self._chance.getrandbits(128):032x}",
            "userId": f"user-{user}",
            "timestamp": f"2026-05-05T{user % 24:02}:{turn % 60:02}:{place:02}Z",
            "event": self._chance.choice(["Product Viewed", "Product Clicked", "item_rated"]),
            "properties": {"product_id": f"item-{self._chance.randrange(30)}"},
        }
        if message["event"] == "item_rated":
            # Beyond the scale: taken, and put into quarantine.
            value = self._chance.choice([1, 4.5, 5, 50])
            message["properties"]["value"] = value
            if value > 5:
                self.out_of_range.add(message["messageId"])
        return message
