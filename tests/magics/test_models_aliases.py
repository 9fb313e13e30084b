"""`%models promote`, `rollback`, `history` and `archive` on models that were really trained and registered."""

from __future__ import annotations

import pytest

from jupyter_mltrain import models
from jupyter_mltrain.domain.errors import ConflictError, OptionError, UnknownNameError


@pytest.fixture
def two(trained, tmp_path):
    """A notebook with versions 1 and 2 of `net`."""
    from jupyter_mltrain import load_model, train

    trained.run("import numpy as np; x, y = np.ones((8, 2)), np.zeros(8)")
    train(load_model("net"), data=(trained["x"], trained["y"]), register="net", name="again")
    return trained


def test_an_alias_is_set_moved_and_rolled_back(two):
    assert two.run('%models promote net 1 champion --reason "the first"').text == "net@champion: net@1 now, no version before."
    assert two.run("%models promote net 2 champion").text == "net@champion: net@2 now, net@1 before."
    assert two.run("%models promote net 2 champion").text == "net@champion: net@2 now, net@1 before."
    assert two.run("%models rollback net champion --reason 'it was slow'").text == "net@champion: net@1 now, net@2 before."
    two.run("%models history net champion")
    header, *rows = two.text.splitlines()
    assert header.split() == ["alias", "version", "from", "until", "moved", "by", "how", "reason"]
    assert [row.split()[1] for row in rows] == ["net@1", "net@2", "net@1"]
    assert [row.endswith(end) for row, end in zip(rows, ("it was slow", "moved", "the first"), strict=True)] == [True] * 3
    assert "now" in rows[0]
    assert two.run("%models history net").text == two.run("%models history net champion").text


def test_an_alias_stands_wherever_a_version_does(two):
    two.run("%models promote net 1 champion\n%models load net@champion --as best")
    assert two.text.splitlines()[-1] == "net@1: the variable best."
    assert two["best"].count_params() == 42
    assert two.run("%models show net@champion").text.startswith('net@1: jupyter_mltrain.load_model("net@1")')
    assert "champion" in two.run("%models").text
    assert two.run("%models promote net champion staging").text == "net@staging: net@1 now, no version before."


def test_what_is_archived_leaves_the_lists_and_comes_back(two):
    assert two.run("%models archive net 2 --reason worse").text == "net@2: archived; it still loads by its number."
    assert two.run("%models").text.splitlines()[1].split()[0] == "net@1"
    assert "archived" in two.run("%models show net").text
    assert two.run("%models load net@2 --as old").text == "net@2: the variable old."
    assert two.run("%models archive net 2 --undo").text == "net@2: in use again."
    assert models["net"].ref == "net@2"


def test_a_variable_can_stand_on_the_line(two):
    two.run("best = 2")
    assert two.run('%models promote net {best} champion --reason "run {best}"').text.startswith("net@champion: net@2 now")
    assert models.history("net", "champion")[0].reason == "run 2"


@pytest.mark.parametrize(
    ("line", "kind", "message"),
    [
        ("promote net 1", OptionError, "expected ALIAS for %models promote, received none: %models? is the manual"),
        ("promote nett 1 champion", UnknownNameError, "no model named 'nett@1': did you mean net"),
        ("promote net 9 champion", UnknownNameError, "no model named 'net@9': did you mean"),
        ("promote net 1 3", OptionError, "expected an alias of 1 to 100 letters, digits"),
        ("promote net 2 live --seen 2", ConflictError, "expected net@live to stand for version 2 still, received version 1"),
        ("promote net 2 live --seen 0", ConflictError, "to stand for no version still, received version 1, moved by"),
        ("promote net 2 live --seen one", OptionError, "expected a whole number for --seen, received 'one'"),
        ("promote net 1 live --reason two words", OptionError, "put quotes around what belongs together"),
        ("rollback net champion", UnknownNameError, "no alias of net named 'champion': there is live"),
        ("history nett", UnknownNameError, "no model named 'nett': did you mean net?"),
        ("history net lve", UnknownNameError, "no alias of net named 'lve': did you mean live?"),
        ("archive net 1", OptionError, "expected a version that no alias stands for, received net@1, which is live"),
        ("load net@lve", UnknownNameError, "no model named 'net@lve': did you mean net@live?"),
    ],
)
def test_errors_are_one_line_that_helps(two, line, kind, message):
    two.run("%models promote net 1 live")
    two.try_run(f"%models {line}")
    assert isinstance(two.error, kind)
    assert message in str(two.error)
    assert two.stdout == f"{kind.__name__}: {two.error}\n"
    assert [each.version for each in models.history("net")] == [1]
