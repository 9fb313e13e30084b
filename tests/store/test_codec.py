from __future__ import annotations

import json
import math
from types import MappingProxyType

import numpy as np
import pytest

from jupyter_mltrain.domain.run import Failure, RunStatus
from jupyter_mltrain.store.codec import as_mapping, as_record, dumps, loads


@pytest.mark.parametrize(
    "value",
    [None, True, 0, -1, 2**70, 0.1, 1e308, "", "NaN", "Infinity", "\ud800", [], {}, [1, [2.5, None]], {"a": {"b": ["c"]}}],
)
def test_what_json_knows_comes_back_as_it_was(value: object) -> None:
    assert loads(dumps(value)) == value
    assert type(loads(dumps(value))) is type(value)


def test_numbers_that_are_not_finite_come_back_through_strict_json() -> None:
    text = dumps({"loss": [math.nan, math.inf, -math.inf]})
    json.loads(text, parse_constant=pytest.fail)
    nan, *rest = loads(text)["loss"]
    assert math.isnan(nan)
    assert rest == [math.inf, -math.inf]


def test_what_json_has_no_form_for_is_kept_as_the_nearest() -> None:
    given = {
        0: np.float32(0.5),
        "count": np.int64(3),
        "nan": np.float32("nan"),
        "status": RunStatus.DIED,
        "shape": (None, 8),
        "frozen": MappingProxyType({"a": 1}),
        "model": object(),
        "array": np.zeros(3),
    }
    found = loads(dumps(given))
    assert math.isnan(found.pop("nan"))
    assert found == {
        "0": 0.5,
        "count": 3,
        "status": "died",
        "shape": [None, 8],
        "frozen": {"a": 1},
        "model": "<object>",
        "array": "<ndarray>",
    }


def test_a_record_is_a_mapping_of_its_fields_and_back() -> None:
    failure = Failure(kind="E", message="m", traceback="t")
    assert as_mapping(failure) == {"kind": "E", "message": "m", "traceback": "t"}
    assert as_record(Failure, as_mapping(failure)) == failure


def test_a_record_of_a_newer_version_can_be_read_and_one_that_lacks_a_field_cannot() -> None:
    newer = {"kind": "E", "message": "m", "traceback": "t", "added_later": 1}
    assert as_record(Failure, newer) == Failure(kind="E", message="m", traceback="t")
    with pytest.raises(ValueError, match="traceback"):
        as_record(Failure, {"kind": "E", "message": "m"})
