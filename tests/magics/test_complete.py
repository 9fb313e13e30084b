"""Tab on the lines of our magics, asked of the shell's own completer."""

from __future__ import annotations

import pandas as pd
import pytest
from IPython.core.completer import provisionalcompleter


def offers(notebook, text: str, cell: str = "") -> list[str]:
    """Return what the whole text may become at the cursor, which stands after `text`."""
    with provisionalcompleter():
        found = list(notebook.shell.Completer.completions(text + cell, len(text)))
    return [text[: each.start] + each.text for each in found]


def types(notebook, text: str) -> set[str]:
    with provisionalcompleter():
        return {each.type for each in notebook.shell.Completer.completions(text, len(text))}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("%runs ", [f"%runs {each}" for each in
                    ("list", "show", "compare", "tree", "attach", "stop", "pause", "continue", "board", "reproduce", "rm")]),
        ("%runs c", ["%runs compare", "%runs continue"]),
        ("%runs reproduce --r", ["%runs reproduce --run"]),
        ("%runs board --s", ["%runs board --stop"]),
        ("%models l", ["%models list", "%models load"]),
        ("%models pro", ["%models promote"]),
        ("%models rollback --re", ["%models rollback --reason"]),
        ("%mltrain d", ["%mltrain doctor"]),
        ("%mltrain f", ["%mltrain form"]),
        ("%mltrain form tu", ["%mltrain form tune"]),
        ("%runs --st", ["%runs --status"]),
        ("%runs list --st", ["%runs list --status"]),
        ("%runs list --status co", ["%runs list --status completed"]),
        ("%runs list --status=co", ["%runs list --status=completed"]),
        ("%%train --str", ["%%train --strategy"]),
        ("%%train --lr-", ["%%train --lr-schedule"]),
        ("%%train --lr a", ["%%train --lr auto"]),
        ("%%train --batch-size=", ["%%train --batch-size=auto"]),
        ("%%train --checkpoint-every n", ["%%train --checkpoint-every never"]),
        ("%%train --keep-checkpoints a", ["%%train --keep-checkpoints all"]),
        ("%%train --resume l", ["%%train --resume last"]),
        ("%%train --no-s", ["%%train --no-shuffle"]),
        ("%%train digits --epochs 3 --lr-schedule ", [f"%%train digits --epochs 3 --lr-schedule {each}" for each in
                                                       ("cosine", "linear", "exponential")]),
        ("%%train --strategy mi", ["%%train --strategy mirrored"]),
        ("%%train --strategy=mi", ["%%train --strategy=mirrored"]),
        ("%%train --precision mixed_b", ["%%train --precision mixed_bfloat16"]),
        ("%%train --optimizer adam", ["%%train --optimizer adam", "%%train --optimizer adamw"]),
        ("%%train --metrics mae acc", ["%%train --metrics mae accuracy"]),
        ("%%train --monitor val_l", ["%%train --monitor val_loss"]),
    ],
)  # fmt: skip
def test_options_values_and_commands(notebook, text, expected):
    assert offers(notebook, text) == expected
    assert not notebook.home.exists()


def test_what_is_offered_has_a_type(trained):
    trained.run("data = [1]")
    assert types(trained, "%%train --str") == {"option"}
    assert types(trained, "%%train --strategy mi") == {"value"}
    assert types(trained, "%%train --data da") == {"variable"}
    assert types(trained, "%runs s") == {"command"}
    assert types(trained, "%runs show d") == {"run"}
    assert types(trained, "%models show n") == {"model"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("%runs list --sort du", ["%runs list --sort duration"]),
        ("%runs list --sort metrics.val_l", ["%runs list --sort metrics.val_loss"]),
        ("%runs board digits oth", ["%runs board digits other"]),
        ("%runs board digits#", ["%runs board digits#2", "%runs board digits#1"]),
        ("%runs show ", ["%runs show digits", "%runs show other"]),
        ("%runs show digits#", ["%runs show digits#2", "%runs show digits#1"]),
        ("%runs compare digits#1 ot", ["%runs compare digits#1 other"]),
        ("%runs list --model ", ["%runs list --model net"]),
        ("%runs list --best val_a", ["%runs list --best val_accuracy"]),
        ("%models load ne", ["%models load net"]),
        ("%models load net@", ["%models load net@1"]),
        ("%models promote ", ["%models promote net"]),
        ("%models promote net ", ["%models promote net 1"]),
        ("%models archive net ", ["%models archive net 1"]),
        ("%%train --register n", ["%%train --register net"]),
        ("%%train dig", ["%%train digits"]),
        ("%%train --fork dig", ["%%train --fork digits"]),
        ("%%train --fork digits#", ["%%train --fork digits#2", "%%train --fork digits#1"]),
        ("%%train --fork digits#1@", ["%%train --fork digits#1@2", "%%train --fork digits#1@best"]),
        ("%%train --resume ", ["%%train --resume last", "%%train --resume other#1"]),
    ],
)
def test_names_that_are_recorded(trained, text, expected):
    assert offers(trained, text)[: len(expected)] == expected


def test_aliases_once_there_are_some(trained):
    trained.run("%models promote net 1 champion")
    assert offers(trained, "%models load net@") == ["%models load net@1", "%models load net@champion"]
    assert offers(trained, "%models promote net ch") == ["%models promote net champion"]
    assert offers(trained, "%models promote net champion c") == ["%models promote net champion champion"]
    assert offers(trained, "%models rollback net c") == ["%models rollback net champion"]
    assert offers(trained, "%models history net c") == ["%models history net champion"]


def test_variables_stand_for_data_and_columns_for_the_target(notebook):
    notebook.run("import numpy as np; x_train = x_test = np.ones(3); y_train = 1")
    notebook.shell.user_ns["frame"] = pd.DataFrame(columns=["price", "petal width", "rooms"])
    assert offers(notebook, "%%train --data x_") == ["%%train --data x_test", "%%train --data x_train"]
    assert offers(notebook, "%%train --data x_train, y_") == ["%%train --data x_train, y_train"]
    assert offers(notebook, "%%train --data x_train,y_") == ["%%train --data x_train,y_train"]
    assert offers(notebook, "%%train --val (x_te") == ["%%train --val (x_test"]
    assert offers(notebook, "%%train --data=fra") == ["%%train --data=frame"]
    assert offers(notebook, "%%train --data frame --target p") == ["%%train --data frame --target price"]
    assert offers(notebook, "%%train --data frame --target price,r") == ["%%train --data frame --target price,rooms"]
    assert offers(notebook, '%%train --data frame --target "') == ['%%train --data frame --target "petal width"']


def test_the_lines_below_and_other_magics_stay_as_they_were(notebook):
    notebook.run("strategy_of_mine = 1")
    assert "%%train\nstrategy_of_mine" in offers(notebook, "%%train\nstrategy_of")
    assert "%%timeit\nstrategy_of_mine" in offers(notebook, "%%timeit\nstrategy_of")
    assert "%%train --strategy" in offers(notebook, "%%train --stra", cell="\nmodel.fit(x, y)")


class Awkward:
    """An object that raises at every look."""

    def __getattr__(self, name: str) -> object:
        raise RuntimeError(name)


@pytest.mark.parametrize("text", ["%%train --data awkward --target ", '%%train --note "half ', "%runs show 'a", "%runs show é{["])
def test_odd_lines_and_objects_do_no_harm(notebook, text, capfd):
    notebook.shell.user_ns["awkward"] = Awkward()
    offers(notebook, text)
    assert capfd.readouterr() == ("", "")


def test_a_damaged_home_does_no_harm(notebook, capfd):
    notebook.home.mkdir()
    (notebook.home / "mltrain.db").write_bytes(b"no database at all" * 1000)
    offers(notebook, "%runs show ")
    assert capfd.readouterr() == ("", "")
