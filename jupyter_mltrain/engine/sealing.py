"""A checksum at the end of a `.keras` file: the comment of the ZIP archive that it is, which Keras passes over.

A file of weights alone is no archive and has none, and a file that something else wrote need not have one.
"""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

_MARK = b"SHA-256 of all before: "
_BYTES_OF_LENGTH = 2  # an archive ends with the length of its comment, and the comment
_BYTES_OF_SEAL = _BYTES_OF_LENGTH + len(_MARK) + 2 * sha256().digest_size
_CHUNK = 1 << 20


def seal(path: Path) -> None:
    """Add its checksum to a `.keras` file without a comment.

    Raises:
        OSError: it cannot be written.
    """
    comment = _MARK + _checksum(path, path.stat().st_size - _BYTES_OF_LENGTH)
    with path.open("rb+") as file:
        file.seek(-_BYTES_OF_LENGTH, 2)
        file.write(len(comment).to_bytes(_BYTES_OF_LENGTH, "little") + comment)


def check_seal(path: Path) -> None:
    """Raise `ValueError` if a `.keras` file has another content than that of which it has the checksum.

    Raises:
        ValueError: it was changed or damaged.
        OSError: it cannot be read.
    """
    size = path.stat().st_size - _BYTES_OF_SEAL
    with path.open("rb") as file:
        file.seek(max(0, size))
        comment = file.read()[_BYTES_OF_LENGTH:]
    if comment.startswith(_MARK) and comment != _MARK + _checksum(path, size):
        raise ValueError(f"{path.name} was changed or is damaged")


def _checksum(path: Path, size: int) -> bytes:
    digest = sha256()
    with path.open("rb") as file:
        while size and (chunk := file.read(min(size, _CHUNK))):
            digest.update(chunk)
            size -= len(chunk)
    return digest.hexdigest().encode()
