"""The cell that a form stands for, as a person would write it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from jupyter_mltrain.widgets.form_fields import FIELDS, TARGETS, Field, Tuning

_LOG_FROM = 100  # a range whose end is so many times its begin is searched by the logarithm


@dataclass(frozen=True, slots=True)
class FormCell:
    """A `%%train` or `%%tune` cell.

    Attributes:
        magic: with its signs.
        values: of the fields, as text; those that are empty, or have no meaning beside the others, left out.
    """

    magic: str
    values: Mapping[str, str]

    @property
    def text(self) -> str:
        """All of it."""
        return f"{self.magic} {self.line}".rstrip() + f"\n{self.body}"

    @property
    def line(self) -> str:
        """What follows the magic: the name of the run, then the options in the order of the fields."""
        fields = sorted(FIELDS[self.magic], key=lambda field: field.name != "name")
        return " ".join(field.option(self._written(field)) for field in fields if self._stands_on_line(field))

    @property
    def body(self) -> str:
        """The model; where something is tuned, with what Keras is to be told of it."""
        model = self.values.get("model", "")
        told = [*self._compiling(), *self._fitting()]
        if not told:
            return model
        imports = ["import keras"] if self.is_compiled else []
        return "\n".join([*imports, f"model = {model}", *told])

    def tuned(self, field: Field) -> bool:
        """Tell whether a field's value is searched for."""
        return f"{field.name}_tuned" in self.values

    @property
    def _tuned(self) -> dict[str, str]:
        """What is searched for, as calls of `hp`."""
        return {field.name: self._searched(field) for field in FIELDS[self.magic] if self.tuned(field)}

    @property
    def is_compiled(self) -> bool:
        """Whether the body compiles the model, because the optimizer or its rate is searched for."""
        return not self._tuned.keys().isdisjoint(("optimizer", "learning_rate"))

    def _stands_on_line(self, field: Field) -> bool:
        is_option = bool(field.flag) or field.name == "name"
        is_in_body = self.tuned(field) or (field.name == "optimizer" and self.is_compiled)
        return is_option and not is_in_body and field.name in self.values

    def _written(self, field: Field) -> str:
        targets = self.values.get(TARGETS.get(field.name, ""))
        return f"{self.values[field.name]}, {targets}" if targets else self.values[field.name]

    def _searched(self, field: Field) -> str:
        if field.tuning is Tuning.CHOICE:
            return f'hp.Choice("{field.name}", {_listed(self.values.get(f"{field.name}_values", ""))})'
        first, last = (self.values.get(f"{field.name}_{end}", "") for end in ("from", "to"))
        log = ", log=True" if _ratio(first, last) >= _LOG_FROM else ""
        return f'hp.{field.tuning}("{field.name}", {_literal(first)}, {_literal(last)}{log})'

    def _compiling(self) -> Iterator[str]:
        if not self.is_compiled:
            return
        tuned = self._tuned
        yield f"optimizer = keras.optimizers.get({tuned.get('optimizer') or _text(self.values.get('optimizer', 'adam'))})"
        if "learning_rate" in tuned:
            yield f"optimizer.learning_rate = {tuned['learning_rate']}"
        yield "model.compile(optimizer)"

    def _fitting(self) -> Iterator[str]:
        given = [f"{name}={self._tuned[name]}" for name in ("epochs", "batch_size") if name in self._tuned]
        if given:
            yield f"model.fit({', '.join(given)})"


def split(values: str) -> list[str]:
    """Return the values of a list as it is typed."""
    return [value.strip() for value in values.split(",") if value.strip()]


def is_number(value: str) -> bool:
    """Tell whether a text is a number that Python can write."""
    try:
        return math.isfinite(float(value))
    except ValueError:
        return False


def _listed(values: str) -> str:
    """Return a list in Python's words: `[16, 32]`, `["adam", "sgd"]`."""
    return f"[{', '.join(map(_literal, split(values)))}]"


def _literal(value: str) -> str:
    """Return a number as Python takes it, text in quotes; what is not there yet is left open."""
    if not is_number(value):
        return _text(value) if value else "…"
    return str(int(value)) if value.lstrip("+-").isdecimal() else value


def _text(value: str) -> str:
    return repr(value) if '"' in value or "\\" in value else f'"{value}"'


def _ratio(first: str, last: str) -> float:
    if not (is_number(first) and is_number(last)):
        return 0.0
    return float(last) / float(first) if float(first) > 0 else 0.0
