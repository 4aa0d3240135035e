"""One small interface to a directory, an S3 bucket or a GCS bucket, by URL."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO, Final, Literal
from urllib.parse import unquote, urlsplit

import obstore
from obstore.exceptions import (
    AlreadyExistsError,
    InvalidPathError,
    NotFoundError,
    PermissionDeniedError,
    UnauthenticatedError,
)
from obstore.exceptions import BaseError as ObstoreError
from obstore.store import GCSStore, LocalStore, ObjectStore, S3Store

from feedback_platform.errors import (
    InvalidSettingError,
    LakeAccessError,
    LakeObjectExistsError,
    LakeObjectMissingError,
    LakeUnavailableError,
)
from feedback_platform.settings import checked_endpoint

# What one listing request returns at most, on S3 and GCS alike.
PAGE_KEYS = 1000
_PIECE_BYTES: Final = 16 << 20
# "#" followed by digits is obstore's own mark of a staged file; its listings leave it out.
_STAGED = re.compile(r"#\d+$")
# Three minutes of silence, obstore's own default, is longer than any sender waits for an answer.
_RETRIES: Any = {"max_retries": 5, "retry_timeout": timedelta(seconds=10)}
_REMOTE_ERROR = re.compile(r"<Code>(?P<code>[^<]*)</Code>.*?<Message>(?P<text>[^<]*)<", re.DOTALL)
_REFUSAL = re.compile(r"status code: 40[13]\b")


class Lake:
    """The objects under one URL.

    Keys are relative to the URL and use `/`. A write is atomic and durable: when `put` returns, the
    whole object survives a crash; before that, no reader sees any of it.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        parts = urlsplit(url)
        self._directory = Path(unquote(parts.path)) if parts.scheme == "file" else None
        self._store = _open_store(url, self._directory)
        self._durable: set[Path] = set()

    @property
    def directory(self) -> Path | None:
        """The local directory behind the lake, or None where it is remote."""
        return self._directory

    def put(self, key: str, data: bytes, *, mode: Literal["create", "overwrite"]) -> None:
        """Write one object, whole and durable.

        What a writer must know to be its own, and nobody else's, names its writer in the content.

        Args:
            key: where; with mode `create` nothing else may lie there.
            data: the whole content.
            mode: `create` refuses to replace, `overwrite` replaces atomically.

        Raises:
            LakeObjectExistsError: mode is `create`, and the key holds something else.
            LakeUnavailableError: the store failed; the object may be there all the same, so that
                the same call may be repeated.
        """
        try:
            with self._translated_errors(key):
                if self._directory is not None:
                    path = self._directory / key
                    self._make_durably(path.parent)
                    _put_durably(path, [data], mode=mode)
                else:
                    obstore.put(self._store, key, data, mode=mode)
        except LakeObjectExistsError:
            # An answer may be lost on its way: the store's client tries again, and meets what it
            # has just stored.
            if not self._holds(key, data):
                raise

    def put_file(self, key: str, path: Path) -> None:
        """Write one object from a file, whole and durable, however large it is.

        Args:
            key: where nothing else lies.
            path: of the content.

        Raises:
            LakeObjectExistsError: the key holds something.
            LakeUnavailableError: the store failed.
        """
        with self._translated_errors(key):
            if self._directory is not None:
                target = self._directory / key
                self._make_durably(target.parent)
                with path.open("rb") as content:
                    _put_durably(target, _pieces(content), mode="create")
            else:
                obstore.put(self._store, key, path, mode="create", use_multipart=False)

    def get_file(self, key: str, path: Path) -> None:
        """Write the content of an object into a new file, however large it is.

        Raises:
            LakeObjectMissingError: there is none under this key.
        """
        with self._translated_errors(key), path.open("xb") as file:
            for piece in obstore.get(self._store, key).stream(min_chunk_size=_PIECE_BYTES):
                file.write(piece)

    def get(self, key: str) -> bytes:
        """Return the content of an object.

        Raises:
            LakeObjectMissingError: there is none under this key.
        """
        with self._translated_errors(key):
            return bytes(obstore.get(self._store, key).bytes())

    def find(self, key: str) -> bytes | None:
        """Return the content of an object, or None where there is none."""
        try:
            return self.get(key)
        except LakeObjectMissingError:
            return None

    def written_at(self, key: str) -> datetime:
        """Return when an object was written (UTC), by the store's clock.

        Raises:
            LakeObjectMissingError: there is none under this key.
        """
        with self._translated_errors(key):
            written_at: datetime = obstore.head(self._store, key)["last_modified"]
            return written_at.astimezone(UTC)

    def list_keys(self, prefix: str, *, after: str | None = None) -> list[str]:
        """Return the keys under a prefix (a whole path segment), sorted.

        Args:
            prefix: the "directory", without a slash at its end.
            after: leave out keys up to and including this one.
        """
        with self._translated_errors(prefix):
            if self._directory is not None:
                return _listed_directory(self._directory, prefix, after)
            listing = obstore.list(self._store, prefix=prefix, offset=after)
            return sorted(entry["path"] for chunk in listing for entry in chunk)

    def list_page(self, prefix: str, *, after: str) -> tuple[list[str], bool]:
        """Return the first keys under a prefix behind a key, sorted, and whether these are all.

        A reader that knows where to go on pays for one request, not for all that follows. A
        directory is listed whole: that is one request, too.
        """
        if self._directory is not None:
            return self.list_keys(prefix, after=after), True
        with self._translated_errors(prefix):
            listing = obstore.list(self._store, prefix=prefix, offset=after, chunk_size=PAGE_KEYS)
            page = sorted(entry["path"] for entry in next(iter(listing), []))
            return page, len(page) < PAGE_KEYS

    def subdirectories(self, prefix: str) -> list[str]:
        """Return the full prefixes one level below a prefix, sorted."""
        with self._translated_errors(prefix):
            listing = obstore.list_with_delimiter(self._store, prefix=prefix)
            return sorted(listing["common_prefixes"])

    def delete(self, keys: list[str]) -> None:
        """Delete objects; one that is gone already is no error."""
        for key in keys:
            with suppress(LakeObjectMissingError), self._translated_errors(key):
                obstore.delete(self._store, key)

    def _holds(self, key: str, data: bytes) -> bool:
        try:
            return self.find(key) == data
        except LakeAccessError:
            # Who may write but not read cannot tell.
            return False

    def _make_durably(self, directory: Path) -> None:
        """Make a directory of the lake, so that the way to a file survives a crash as it does.

        One that somebody else made a moment ago is forced to disk, too: its maker may not have
        come so far.
        """
        if directory in self._durable and directory.is_dir():
            return
        if directory == self._directory:
            directory.mkdir(parents=True, exist_ok=True)
        else:
            self._make_durably(directory.parent)
            directory.mkdir(exist_ok=True)
            _sync_directory(directory.parent)
        self._durable.add(directory)

    @contextmanager
    def _translated_errors(self, key: str) -> Iterator[None]:
        try:
            yield
        except (FileNotFoundError, NotFoundError) as error:
            if _is_of_the_bucket(error):
                raise self._refused(key, error) from error
            raise LakeObjectMissingError(key, self.url) from error
        except (FileExistsError, AlreadyExistsError) as error:
            raise LakeObjectExistsError(key, self.url) from error
        except (PermissionError, PermissionDeniedError, UnauthenticatedError) as error:
            raise self._refused(key, error) from error
        except InvalidPathError as error:
            raise LakeAccessError(f"{key!r} cannot be a key: {_reason(error)}") from error
        except (OSError, ObstoreError) as error:
            # What a listing is refused for, obstore does not classify.
            if _is_of_the_bucket(error) or _REFUSAL.search(str(error)):
                raise self._refused(key, error) from error
            raise LakeUnavailableError(
                f"The lake {self.url} failed at {key!r}: {_reason(error)}"
            ) from error

    def _refused(self, key: str, error: BaseException) -> LakeAccessError:
        return LakeAccessError(
            f"The lake {self.url} refused access to {key!r}: {_reason(error).rstrip('.')}. "
            "Check that the bucket or directory exists, the credentials and their rights."
        )


def _open_store(url: str, directory: Path | None) -> ObjectStore:
    if directory is not None:
        directory.mkdir(parents=True, exist_ok=True)
        return LocalStore(prefix=directory)
    parts = urlsplit(url)
    prefix = parts.path.strip("/") or None
    if parts.scheme == "gs":
        return GCSStore(parts.netloc, prefix=prefix, retry_config=_RETRIES)
    return S3Store(parts.netloc, prefix=prefix, retry_config=_RETRIES, **_aws_options(url))


def _aws_options(url: str) -> dict[str, Any]:
    """Return what boto3 knows of AWS: its credentials chain, the region and the endpoint."""
    import boto3  # noqa: PLC0415 - 0.7 s that a local lake should not pay
    from obstore.auth.boto3 import Boto3CredentialProvider  # noqa: PLC0415

    session = boto3.Session()
    if session.get_credentials() is None:
        raise InvalidSettingError(
            "FEEDBACK_LAKE_URL",
            url,
            "an s3:// URL only with AWS credentials (AWS_ACCESS_KEY_ID, a profile or a role)",
        )
    client = session.client("s3", region_name=session.region_name or "us-east-1")
    endpoint = checked_endpoint(client.meta.endpoint_url)
    options: dict[str, Any] = {
        "credential_provider": Boto3CredentialProvider(session),
        "region": session.region_name or "us-east-1",
    }
    if not endpoint.endswith(".amazonaws.com"):
        options["endpoint"] = endpoint
        options["client_options"] = {"allow_http": endpoint.startswith("http://")}
    return options


def _listed_directory(directory: Path, prefix: str, after: str | None) -> list[str]:
    """Return the keys below a directory, sorted; what lies behind a key alone is walked.

    The general listing asks the file system for size and time of every file, which takes fifteen
    times as long, and walks everything to leave most of it out.
    """
    found: list[str] = []
    open_prefixes = [prefix]
    while open_prefixes:
        current = open_prefixes.pop()
        try:
            with os.scandir(directory / current) as entries:
                for entry in entries:
                    key = f"{current}/{entry.name}"
                    if entry.is_dir():
                        # Every key below begins with it; before `after`, none of them counts.
                        if after is None or after.startswith(f"{key}/") or f"{key}/" > after:
                            open_prefixes.append(key)
                    elif (after is None or key > after) and not _STAGED.search(entry.name):
                        found.append(key)
        except FileNotFoundError:
            # Nothing was ever written there, or it was removed meanwhile.
            continue
    return sorted(found)


def _pieces(content: BinaryIO) -> Iterator[bytes]:
    while piece := content.read(_PIECE_BYTES):
        yield piece


def _put_durably(
    path: Path, data: Iterable[bytes], *, mode: Literal["create", "overwrite"]
) -> None:
    """Write beside the target, force to disk, then rename: all of it or nothing."""
    staged = path.with_name(f"{path.name}#{secrets.randbits(63)}")
    try:
        with staged.open("xb") as file:
            for piece in data:
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())
        if mode == "create":
            os.link(staged, path)
        else:
            staged.replace(path)
        _sync_directory(path.parent)
    finally:
        staged.unlink(missing_ok=True)


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _is_of_the_bucket(error: BaseException) -> bool:
    """Return whether a store that found nothing says that more is missing than the object."""
    text = str(error)
    found = _REMOTE_ERROR.search(text)
    return found is not None and "status code: 404" in text and found["code"] != "NoSuchKey"


def _reason(error: BaseException) -> str:
    """Return what a store said, without what only its developers read."""
    text = str(error).strip()
    found = _REMOTE_ERROR.search(text)
    return f"{found['code']}: {found['text']}" if found else text.partition("\n")[0]
