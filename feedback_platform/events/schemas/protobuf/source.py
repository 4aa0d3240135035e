"""From a schema's text to the descriptor of its file: a .proto source, or the descriptor itself.

Sources are read by protoc, in a process of its own: it reports mistakes only on its standard error,
and whatever a hostile source does to it stays there. Every file gets a descriptor pool of its own.
"""

from __future__ import annotations

import base64
import binascii
import importlib
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from google.protobuf.descriptor import FileDescriptor
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
)
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import DecodeError

from feedback_platform.events.schemas.protobuf.check import descriptor_problem
from feedback_platform.events.schemas.references import References
from feedback_platform.events.schemas.schema import (
    InvalidSchemaError,
    ResolveReference,
    Schema,
)

# What neither a path of an import nor a source of .proto consists of alone.
_BASE64: Final = re.compile(r"[A-Za-z0-9+/]+={0,2}")
# Files that clients know by themselves, and therefore send no reference for.
_WELL_KNOWN: Final = re.compile(r"google/(protobuf|type)/[a-z_]+\.proto")
# protoc's own log, between its findings.
_WARNING: Final = re.compile(r"WARNING:|W\d{4} ")
# Of processor time: it compares all numbers and names of a message with each other.
_SECONDS_FOR_PROTOC: Final = 2
_SECONDS_UNTIL_KILLED: Final = 30
# The limits hold for the process that sets them, before it reads anything of the sender's.
_LIMITED_PROTOC: Final = """
import resource, sys
from grpc_tools import protoc
seconds, megabytes = int(sys.argv.pop(1)), int(sys.argv.pop(1))
resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
resource.setrlimit(resource.RLIMIT_AS, (megabytes << 20, megabytes << 20))
sys.exit(protoc.main(sys.argv))
"""
_MEGABYTES_FOR_PROTOC: Final = 1024
_MAX_EXPLANATION: Final = 2000


@dataclass(frozen=True)
class ProtobufFile:
    """A file and everything that it imports.

    Attributes:
        file: the file's descriptor, with its comments where a source had any.
        imported: descriptors of all imports, also of theirs; each stands behind its own imports.
    """

    file: FileDescriptorProto
    imported: tuple[FileDescriptorProto, ...]

    def linked(self) -> FileDescriptor:
        """Return the file with its names resolved, in a pool of its own.

        Raises:
            InvalidSchemaError: a name leads nowhere, is taken, or a number is used twice.
        """
        pool = DescriptorPool()
        try:
            for file in (*self.imported, self.file):
                pool.AddSerializedFile(file.SerializeToString())
            return pool.FindFileByName(self.file.name)
        except (TypeError, KeyError, DecodeError) as error:
            raise InvalidSchemaError(f"The Protobuf schema does not link: {error}") from error


def parse_protobuf(schema: Schema, resolve: ResolveReference) -> ProtobufFile:
    """Read a Protobuf schema.

    Args:
        schema: its text is a .proto source, or a serialised FileDescriptorProto in base64.
        resolve: finds the schemas of its references.

    Raises:
        InvalidSchemaError: the text is neither, or it imports what is not referenced or not there.
    """
    imported: dict[str, FileDescriptorProto] = {}
    _collect_references(schema, References(schema.schema_type, resolve), imported, path=())
    if is_serialized(schema.text):
        file = _decoded(schema.text)
        for name in file.dependency:
            _add_well_known(name, imported)
        for name in file.dependency:
            if name not in imported:
                raise InvalidSchemaError(
                    f"The Protobuf schema imports {name!r}, which is not among its references."
                )
    else:
        file = _compiled(schema.text, imported)
    if not file.message_type and not file.enum_type:
        raise InvalidSchemaError("The Protobuf schema declares neither a message nor an enum.")
    parsed = ProtobufFile(file, tuple(imported.values()))
    parsed.linked()
    return parsed


def is_serialized(text: str) -> bool:
    """Return whether a schema's text is a descriptor in base64 and not a source."""
    # White space is taken out first: a pattern that allows it twice takes quadratic time.
    return _BASE64.fullmatch("".join(text.split())) is not None


def serialized(file: FileDescriptorProto) -> str:
    """Return a file in base64, as Confluent's clients exchange it."""
    return base64.b64encode(file.SerializeToString(deterministic=True)).decode()


def canonical_bytes(file: FileDescriptorProto) -> bytes:
    """Return what two descriptors share exactly if they say the same.

    The name under which a file was compiled, comments, and the JSON names that follow from the
    fields' names make no difference.
    """
    bare = FileDescriptorProto()
    bare.CopyFrom(file)
    bare.ClearField("name")
    bare.ClearField("source_code_info")
    if bare.syntax == "proto2":
        bare.ClearField("syntax")
    for message in bare.message_type:
        _drop_default_json_names(message)
    for field in bare.extension:
        field.ClearField("json_name")
    canonical: bytes = bare.SerializeToString(deterministic=True)
    return canonical


def default_json_name(name: str) -> str:
    """Return the name that protoc gives a field in JSON: each underscore lifts the next letter."""
    first, *others = name.split("_")
    return first + "".join(part[:1].upper() + part[1:] for part in others)


def _drop_default_json_names(message: DescriptorProto) -> None:
    for field in message.field:
        if field.json_name == default_json_name(field.name):
            field.ClearField("json_name")
    for extension in message.extension:
        extension.ClearField("json_name")
    for nested in message.nested_type:
        _drop_default_json_names(nested)


def _collect_references(
    schema: Schema,
    references: References,
    imported: dict[str, FileDescriptorProto],
    *,
    path: tuple[str, ...],
) -> None:
    for reference in schema.references:
        if reference.name in path:
            raise InvalidSchemaError(f"The Protobuf schema imports {reference.name!r} in a circle.")
        if reference.name in imported:
            continue
        referenced = references.find(reference)
        _collect_references(referenced, references, imported, path=(*path, reference.name))
        if is_serialized(referenced.text):
            file = _decoded(referenced.text)
            for name in file.dependency:
                _add_well_known(name, imported)
        else:
            file = _compiled(referenced.text, imported)
        file.name = reference.name
        imported[reference.name] = file


def _decoded(text: str) -> FileDescriptorProto:
    file = FileDescriptorProto()
    try:
        file.ParseFromString(base64.b64decode("".join(text.split()), validate=True))
    except (binascii.Error, DecodeError) as error:
        raise InvalidSchemaError(
            "The Protobuf schema is neither a .proto source nor a serialised FileDescriptorProto "
            f"in base64: {error}"
        ) from error
    if (problem := descriptor_problem(file)) is not None:
        raise InvalidSchemaError(f"The Protobuf schema is no compiler's descriptor: {problem}.")
    file.name = "schema.proto"
    return file


def _compiled(text: str, imported: dict[str, FileDescriptorProto]) -> FileDescriptorProto:
    """Return the descriptor of a source; what it imports of the well-known files is added."""
    name = "schema.proto"
    while name in imported:
        name = f"_{name}"
    with tempfile.TemporaryDirectory(prefix="feedback-protoc-") as directory:
        folder = Path(directory)
        try:
            (folder / name).write_text(text, encoding="utf-8", newline="")
        except UnicodeEncodeError as error:
            raise InvalidSchemaError(f"The Protobuf schema is not Unicode text: {error}") from error
        (folder / "imported.pb").write_bytes(
            FileDescriptorSet(file=_with_all_well_known(text, imported)).SerializeToString()
        )
        _run_protoc(folder, name)
        compiled = FileDescriptorSet.FromString((folder / "compiled.pb").read_bytes())
    *others, file = compiled.file
    for other in others:
        imported.setdefault(other.name, other)
    return file


def _run_protoc(folder: Path, name: str) -> None:
    arguments = [
        f"-I{folder}",
        f"--descriptor_set_in={folder / 'imported.pb'}",
        "--include_imports",
        "--include_source_info",
        f"--descriptor_set_out={folder / 'compiled.pb'}",
        str(folder / name),
    ]
    try:
        finished = subprocess.run(  # noqa: S603 - no shell, and no argument is the sender's
            [
                *(sys.executable, "-c", _LIMITED_PROTOC),
                *(str(_SECONDS_FOR_PROTOC), str(_MEGABYTES_FOR_PROTOC)),
                *arguments,
            ],
            capture_output=True,
            timeout=_SECONDS_UNTIL_KILLED,
            check=False,
            text=True,
            errors="replace",
        )
    except subprocess.TimeoutExpired as error:
        raise InvalidSchemaError(
            f"protoc did not read the Protobuf schema within {_SECONDS_UNTIL_KILLED} s."
        ) from error
    if finished.returncode < 0:
        raise InvalidSchemaError(
            "The Protobuf schema is too large or too complex: protoc did not read it within "
            f"{_SECONDS_FOR_PROTOC} s of processor time and {_MEGABYTES_FOR_PROTOC} MB. Split it, "
            "or reserve numbers as ranges."
        )
    if finished.returncode != 0:
        lines = finished.stderr.replace(f"{folder}/", "").splitlines()
        said = "\n".join(line for line in lines if not _WARNING.match(line))
        raise InvalidSchemaError(
            f"The Protobuf schema is not valid: {said[:_MAX_EXPLANATION] or 'protoc failed'}"
        )


def _with_all_well_known(
    text: str, imported: dict[str, FileDescriptorProto]
) -> list[FileDescriptorProto]:
    """Return the imports, and the well-known files that a source may mean by its own imports."""
    files = dict(imported)
    for found in _WELL_KNOWN.finditer(text):
        _add_well_known(found.group(), files)
    return list(files.values())


def _add_well_known(name: str, files: dict[str, FileDescriptorProto]) -> None:
    """Add a file of Google's and its imports, from the module that protoc made of it."""
    if name in files or not _WELL_KNOWN.fullmatch(name):
        return
    try:
        module = importlib.import_module(f"{name.removesuffix('.proto').replace('/', '.')}_pb2")
    except ImportError:
        return
    file = FileDescriptorProto.FromString(module.DESCRIPTOR.serialized_pb)
    for dependency in file.dependency:
        _add_well_known(dependency, files)
    files[name] = file
