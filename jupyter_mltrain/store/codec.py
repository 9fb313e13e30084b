"""JSON as the database holds it: any record of ours goes in, and not finite numbers come back as they were."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import fields
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Record = TypeVar("Record", bound="DataclassInstance")

_NOT_FINITE = "$float"  # JSON knows no NaN and no infinity: NaN is kept as {"$float": "nan"}


def dumps(value: Any) -> str:
    """Return `value` as JSON text; an object that JSON cannot hold is named by its class."""
    try:
        return _dumps(value)
    except (TypeError, ValueError):  # not plain; a look at every item first would take four times as long
        return _dumps(_plain(value))


def loads(text: str) -> Any:
    """Return what `dumps` was given; tuples come back as lists, keys as strings."""
    return json.loads(text, object_hook=_restored)


def as_mapping(record: DataclassInstance) -> dict[str, Any]:
    """Return the fields of a frozen record by name; fields that are records themselves stay what they are."""
    return {field.name: getattr(record, field.name) for field in fields(record)}


def as_record(kind: type[Record], mapping: Mapping[str, Any]) -> Record:
    """Return the record whose fields `as_mapping` gave; what a newer version of this package added is left out.

    Raises:
        ValueError: a field is missing.
    """
    known = {field.name for field in fields(kind)}
    try:
        return kind(**{name: value for name, value in mapping.items() if name in known})
    except TypeError as error:
        raise ValueError(str(error)) from error


def _dumps(value: Any) -> str:
    return json.dumps(value, allow_nan=False, separators=(",", ":"))


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, Integral):  # NumPy's numbers are Integral and Real too
        return int(value)
    if isinstance(value, Real):
        number = float(value)
        return number if math.isfinite(number) else {_NOT_FINITE: str(number)}
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in value]
    return f"<{type(value).__name__}>"


def _restored(mapping: dict[str, Any]) -> Any:
    return float(mapping[_NOT_FINITE]) if mapping.keys() == {_NOT_FINITE} else mapping
