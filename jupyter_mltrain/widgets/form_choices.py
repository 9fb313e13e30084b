"""What the lists of a form offer, and what it begins with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from jupyter_mltrain.domain.form import Choices, DataChoice, DataKind, ModelChoice
from jupyter_mltrain.widgets import theme

Offered = Mapping[str, Sequence[tuple[str, str]]]
"""By the field: values, and how each is shown."""

_NOTHING = ("", "none")
_TARGETS = ("target", "label", "class", "y")  # what the column of the targets is often called


def offered(choices: Choices, values: Mapping[str, str], *, is_search: bool) -> Offered:
    """Return what can be chosen; fields that have no meaning beside the values of the others are left out.

    Args:
        choices: of the notebook.
        values: of the fields.
        is_search: a model that is there already cannot be searched over.
    """
    data = {each.name: each for each in choices.data}
    chosen, validation = data.get(values.get("data", "")), data.get(values.get("validation_data", ""))
    found: dict[str, Sequence[tuple[str, str]]] = {
        "data": [_shown(each) for each in choices.data],
        "model": [(each.code, theme.one_line(f"{each.code}: {each.shown}", 100)) for each in models(choices, is_search)],
        "validation_data": _optional(each for each in choices.data if chosen and _is_alike(each, chosen)),
        "targets": _targets(choices, chosen),
        "validation_targets": _targets(choices, validation),
    }
    if chosen:
        found["target"] = [(column, theme.one_line(column, 60)) for column in chosen.columns]
    return {name: options for name, options in found.items() if options}


def models(choices: Choices, is_search: bool) -> Sequence[ModelChoice]:
    """Return the models that can be trained; for a search those that are made anew for each trial."""
    return [each for each in choices.models if each.is_new or not is_search]


def corrected(values: Mapping[str, str], choices: Choices, *, is_search: bool) -> dict[str, str]:
    """Return values of which those from lists are in the lists, guessed where they are not, left out where there is no list."""
    values, vectors = dict(values), [each.name for each in choices.data if each.is_vector]
    for name in ("data", "targets", "target", "validation_data", "validation_targets", "model"):
        known = [value for value, _ in offered(choices, values, is_search=is_search).get(name, ())]
        if not known:
            values.pop(name, None)
        elif values.get(name) not in known:
            values[name] = _guessed(name, values, known, vectors)
    return values


def may_be_split(choices: Choices, values: Mapping[str, str]) -> bool:
    """Tell whether a share of the data can be held back: rows can be counted, and there are no others to validate on."""
    has_rows = any(each.rows is not None for each in choices.data if each.name == values.get("data"))
    return has_rows and not values.get("validation_data")


def lacking(choices: Choices, *, is_search: bool) -> str:
    """Return what has to be done before the form is of use, empty if nothing."""
    missing = []
    if not choices.data:
        missing.append("There are no data in the notebook yet: load some in a cell, as arrays x and y or as a data frame.")
    if not models(choices, is_search):
        how = "def build(): return keras.Sequential([...])"
        missing.append(f"There is no model yet: define in a cell a function that builds one, {how}.")
    return " ".join([*missing, "This form then lists them."]) if missing else ""


def _shown(choice: DataChoice) -> tuple[str, str]:
    return choice.name, theme.one_line(f"{choice.name}: {choice.shown}", 100)


def _optional(choices: Iterable[DataChoice]) -> list[tuple[str, str]]:
    shown = list(map(_shown, choices))
    return [_NOTHING, *shown] if shown else []


def _targets(choices: Choices, data: DataChoice | None) -> list[tuple[str, str]]:
    """Return the arrays with as many rows as an array."""
    if data is None or data.kind is not DataKind.ARRAY:
        return []
    return _optional(each for each in choices.data if each.kind is DataKind.ARRAY and each.rows == data.rows and each != data)


def _is_alike(one: DataChoice, other: DataChoice) -> bool:
    return (one.kind, one.columns, one.is_vector) == (other.kind, other.columns, other.is_vector) and one.name != other.name


def _guessed(name: str, values: Mapping[str, str], known: Sequence[str], vectors: Sequence[str]) -> str:
    """Return what people often mean: `x_train`, `y_train` for it, the column `target`, the newest model."""
    data = values.get("data", "")
    match name:
        case "data":
            inputs = [each for each in known if each not in vectors]
            named = [each for each in inputs if each[0] in "xX"]
            return next((each for each in named if "train" in each), (named or inputs or known)[0])
        case "targets":
            return _first(known, _partner(data), *vectors)
        case "validation_targets":
            return _first(known, _partner(values.get("validation_data", "")), *vectors)
        case "validation_data":
            return _first(known, *(data.replace("train", part) for part in ("val", "valid", "validation") if "train" in data))
        case "target":
            lowered = {column.lower(): column for column in known}
            return next((lowered[each] for each in _TARGETS if each in lowered), known[-1])
    return known[0]


def _partner(name: str) -> str:
    """Return what the targets of `x_train` are called."""
    return f"y{name[1:]}" if name[:1] in ("x", "X") else ""


def _first(known: Sequence[str], *names: str) -> str:
    return next((name for name in names if name in known), known[0])
