"""The platform's exceptions: one root, and two branches that callers treat differently.

A permanent failure needs a person (a bad setting, a malformed file): retrying it is pointless.
A transient failure may pass by itself (a store that does not answer): retrying it is right.
"""


class FeedbackPlatformError(Exception):
    """Anything this platform raises on purpose; its text says what happened and what to do."""


class PermanentError(FeedbackPlatformError):
    """A failure that the same call would meet again."""


class TransientError(FeedbackPlatformError):
    """A failure that may be gone at the next attempt."""


class InvalidSettingError(PermanentError):
    """An environment variable or option has a value that the platform does not accept."""

    def __init__(self, name: str, value: str, accepts: str) -> None:
        super().__init__(f"{name} is {value!r}, but it accepts {accepts}.")
        self.name = name
        self.value = value
        self.accepts = accepts


class InvalidInputError(PermanentError):
    """A file or argument that a person handed over cannot be used as it is."""


class NothingPublishedError(PermanentError):
    """There are no published tables to read yet."""


class NothingToLearnError(PermanentError):
    """There is not enough feedback to train on yet."""


class LakeObjectMissingError(PermanentError):
    """A key that should be in the lake is not there."""

    def __init__(self, key: str, url: str) -> None:
        super().__init__(f"The lake {url} has no object {key!r}.")
        self.key = key


class LakeObjectExistsError(PermanentError):
    """A write that must create an object found one under the same key."""

    def __init__(self, key: str, url: str) -> None:
        super().__init__(
            f"The lake {url} already has an object {key!r}; another process wrote it first."
        )
        self.key = key


class LakeAccessError(PermanentError):
    """The lake refuses us: credentials, permissions or an unusable address."""


class LakeUnavailableError(TransientError):
    """The lake did not do what was asked, for a reason that may pass (network, disk, load)."""


class TransformationError(PermanentError):
    """A dbt model, test or seed failed; the text names the node and what the database said."""


class WarehouseBusyError(TransientError):
    """Another process holds the warehouse and did not let go in time."""


class WarehouseUnreadableError(PermanentError):
    """The warehouse file cannot be opened: it is damaged, or another program has it open."""


def text_of(error: BaseException) -> str:
    """Return what an error of somebody else says, on one line; its name where it says nothing."""
    return " ".join(str(error).split()) or f"{type(error).__name__}, without a text."
