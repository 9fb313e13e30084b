"""What is wrong with a form's values: what the magic says of the line that each of them makes, at its field."""

from __future__ import annotations

import re
from collections.abc import Callable

from jupyter_mltrain.domain.errors import MLTrainError, OptionError
from jupyter_mltrain.widgets import theme
from jupyter_mltrain.widgets.form_cell import FormCell, is_number, split
from jupyter_mltrain.widgets.form_fields import FIELDS, Field, Tuning

Check = Callable[[str], None]
"""Takes what follows the magic on a line; raises what the magic would."""

_UNWRITABLE = re.compile("[\r\n{}]|\".*'|'.*\"")  # on a line, even in quotes


def faults(cell: FormCell, check: Check) -> dict[str, str]:
    """Return the messages by the name of the value, and under the empty name what is wrong with the whole line."""
    found: dict[str, str] = {}
    for field in FIELDS[cell.magic]:
        if cell.tuned(field):
            found |= _tuning_faults(field, cell, check)
        elif field.name in cell.values and (field.flag or field.name == "name"):
            found |= _faults(field.name, lambda field=field: _check_value(field, cell.values[field.name], check))  # type: ignore[misc]
    if "loss" not in cell.values and cell.is_compiled:
        found["loss"] = (
            "expected a loss where the optimizer or its rate is tuned, received none: cross-entropy and mse are common"
        )
    return found or _faults("", lambda: check(cell.line))


def _tuning_faults(field: Field, cell: FormCell, check: Check) -> dict[str, str]:
    """Check each value of a list, or both ends of a range, as the one value of the field would be."""
    if field.tuning is Tuning.CHOICE:
        values = split(cell.values.get(f"{field.name}_values", ""))
        return _faults(f"{field.name}_values", lambda: _check_values(field, values, check))
    first, last = (cell.values.get(f"{field.name}_{end}", "") for end in ("from", "to"))
    found: dict[str, str] = {}
    for end, value in (("from", first), ("to", last)):
        found |= _faults(f"{field.name}_{end}", lambda value=value: _check_number(field, value, check))  # type: ignore[misc]
    if not found and not float(first) < float(last):
        found[f"{field.name}_to"] = f"expected the end of a range above {first}, received {last}: write the lower one first"
    return found


def _check_value(field: Field, value: str, check: Check) -> None:
    if field.name == "target" and _UNWRITABLE.search(value):
        raise OptionError(
            "expected a column whose name can stand on a line, without line ends, braces or both kinds of quotes, "
            f"received {theme.one_line(value, 60)}: rename it"
        )
    check(field.option(value))


def _check_values(field: Field, values: list[str], check: Check) -> None:
    if len(values) < 2:
        raise OptionError(f"expected several values with commas, received {', '.join(values) or 'none'}: add another")
    for value in values:
        if field.name == "batch_size":
            _check_number(field, value, check)
        else:
            check(field.option(value))


def _check_number(field: Field, value: str, check: Check) -> None:
    if not is_number(value):
        raise OptionError(f"expected a number for a range of {field.label.lower()}, received {value or 'none'}: write one")
    check(field.option(value))


def _faults(name: str, check: Callable[[], None]) -> dict[str, str]:
    try:
        check()
    except MLTrainError as error:
        return {name: str(error)}
    return {}
