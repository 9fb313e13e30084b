"""What a form shows, as JSON: its fields, the cell that it stands for, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jupyter_mltrain.domain.errors import OptionError, UnknownNameError, did_you_mean
from jupyter_mltrain.domain.form import Choices
from jupyter_mltrain.widgets import theme
from jupyter_mltrain.widgets.form_cell import FormCell
from jupyter_mltrain.widgets.form_checks import Check, faults
from jupyter_mltrain.widgets.form_choices import corrected, lacking, may_be_split, offered
from jupyter_mltrain.widgets.form_fields import FIELDS, Field, names, tuning_names

_BEGIN_WITH = {"validation_split": "0.2", "epochs": "10", "trials": "20"}
_NOTHING = {"text": "", "is_error": False}
_LONGEST_FAULT = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Magic:
    """The cell magic that a form is for.

    Attributes:
        name: with its signs.
        choices: returns what the notebook has now.
        check: reads a line as the magic does, and raises what it would.
        run: runs a cell as if it had been typed; tells whether it came to its end.
        hints: what the manual says of an option, by its flag.
        values: what an option is often given, or can be given, by its flag.
    """

    name: str
    choices: Callable[[], Choices]
    check: Check
    run: Callable[[str], bool]
    hints: Mapping[str, str]
    values: Mapping[str, Sequence[str]]


class FormState:
    """A form's values, and all that follows from them and from what the notebook has now.

    Args:
        magic: what it is for.
        values: what to begin with, by the names of the fields.

    Raises:
        OptionError: there is no such field.
        UnknownNameError: the notebook has no such data or model.

    Attributes:
        magic: what it is for.
    """

    def __init__(self, magic: Magic, values: Mapping[str, Any]) -> None:
        unknown = next(iter(values.keys() - set(names(magic.name))), None)
        if unknown is not None:
            raise OptionError(f"expected fields of the form, received {unknown!r}{did_you_mean(unknown, names(magic.name))}")
        self.magic = magic
        self._values: dict[str, str] = _BEGIN_WITH | {name: str(value) for name, value in values.items()}
        self._said: Mapping[str, Any] = _NOTHING
        self._is_running = False
        self._num_commands = 0
        self.look()
        for name, value in values.items():
            if self._values.get(name, "") != str(value):
                known = [value for value, _ in self._offered().get(name, ()) if value]
                raise UnknownNameError(
                    f"expected {name} to name what there is, received {value!r}{did_you_mean(str(value), known)}"
                )

    @property
    def cell(self) -> FormCell:
        """What it stands for."""
        listed = {field.name for field in FIELDS[self.magic.name] if field.is_listed}
        values = {name: value if name in listed else " ".join(value.split()) for name, value in self._values.items()}
        shown = self._shown()
        given = {field.name: values.get(field.name, "") for field in shown}
        for field in shown:
            tuned, *where = tuning_names(self.magic.name, field) or ("",)
            if values.get(tuned):
                given |= {name: values.get(name, "") for name in (tuned, *where)}
        return FormCell(self.magic.name, {name: value for name, value in given.items() if value})

    @property
    def lacks(self) -> str:
        """What has to be done before it is of use, empty if nothing."""
        return lacking(self._choices, is_search=self._is_search)

    @property
    def is_right(self) -> bool:
        """Whether nothing is missing and nothing is wrong."""
        return not (self.lacks or faults(self.cell, self.magic.check))

    def look(self) -> None:
        """See what the notebook has now."""
        self._choices = self.magic.choices()
        self._values = corrected(self._values, self._choices, is_search=self._is_search)

    def take(self, values: Mapping[str, Any]) -> None:
        """Take what was typed and chosen; what is no field's is left out."""
        self._num_commands += 1
        self._values |= {name: str(values[name]) for name in names(self.magic.name) if name in values}
        self._said = _NOTHING
        self.look()

    def begin(self) -> None:
        """Say that the cell runs."""
        self._is_running = True

    def end(self, *, succeeded: bool) -> None:
        """Say how the cell ended."""
        self._is_running = False
        text = "Done: the result is below, the last if there are several." if succeeded else "It ended with the error below."
        self._said = {"text": text, "is_error": not succeeded}
        self.look()

    def snapshot(self) -> dict[str, Any]:
        """Return all that is shown, as texts; may be called in any thread."""
        cell, shown = self.cell, self._shown()
        found = {name: theme.one_line(text, _LONGEST_FAULT) for name, text in faults(cell, self.magic.check).items()}
        return {
            "magic": self.magic.name,
            "fields": [self._field(field) for field in FIELDS[self.magic.name]],
            "values": {name: self._values.get(name, "") for name in names(self.magic.name)},
            "offered": self._offered(),
            "hidden": [field.name for field in FIELDS[self.magic.name] if field not in shown],
            "cell": cell.text,
            "shown": theme.visible(cell.text),
            "lacks": self.lacks,
            "trouble": found.pop("", ""),
            "faults": found,
            "said": self._said,
            "is_running": self._is_running,
            "num_commands": self._num_commands,
        }

    @property
    def _is_search(self) -> bool:
        return self.magic.name == "%%tune"

    def _offered(self) -> dict[str, Sequence[tuple[str, str]]]:
        """Return what is listed for the fields: the notebook's own, and what the options take."""
        of_options: dict[str, Sequence[tuple[str, str]]] = {}
        for field in FIELDS[self.magic.name]:
            if field.flag in self.magic.values:
                known = [(value, value) for value in self.magic.values[field.flag]]
                of_options[field.name] = [("", "default"), *known] if field.is_listed else known
        return {**of_options, **offered(self._choices, self._values, is_search=self._is_search)}

    def _shown(self) -> list[Field]:
        """Return the fields that have a meaning beside the values of the others."""
        listed = self._offered()
        splits = may_be_split(self._choices, self._values)
        fields = (field for field in FIELDS[self.magic.name] if field.name in listed or not field.is_listed)
        return [field for field in fields if field.name != "validation_split" or splits]

    def _field(self, field: Field) -> dict[str, Any]:
        return {
            "name": field.name,
            "label": field.label,
            "group": field.group,
            "hint": field.hint or self.magic.hints.get(field.flag or field.name, ""),
            "is_listed": field.is_listed,
            "tuning": tuning_names(self.magic.name, field),
        }
