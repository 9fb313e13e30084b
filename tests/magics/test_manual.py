"""What `%runs?` and the like show."""

from __future__ import annotations

import pytest
from IPython.utils.tokenutil import token_at_cursor

from jupyter_mltrain.magics.options import flags, positionals, subcommands


def test_the_manual_of_a_magic_tells_of_every_command(notebook):
    manual = notebook.run("%runs?").stdout
    assert "%runs {list,show,compare,tree,attach,stop,pause,continue,board,reproduce,rm}" in manual
    assert "    %runs list --status failed --since 2d\n" in manual
    assert "\n%runs compare RUN …\n" in manual
    assert "  --status {running,completed,stopped,interrupted,failed,pruned,died}\n" in manual
    assert "<" not in manual


@pytest.mark.parametrize(
    ("cell", "cursor", "option"),
    [("%%train digits\nfit(x, y)", 4, "--early-stop"), ("%%train", 7, "--early-stop"), ("%models", 1, "--reason")],
)
def test_shift_tab_on_a_magic_shows_its_manual(notebook, cell, cursor, option):
    name = token_at_cursor(cell, cursor)  # as the kernel answers a front end
    assert option in notebook.shell.object_inspect_mime(name)["text/plain"]


@pytest.mark.parametrize(
    ("kind", "magic"), [("cell", "train"), ("line", "runs"), ("line", "models"), ("line", "devices"), ("line", "mltrain")]
)
def test_every_argument_has_a_text_and_every_magic_examples(notebook, kind, magic):
    method = notebook.shell.magics_manager.magics[kind][magic]
    parsers = list(subcommands(method.parser).values()) or [method.parser]
    for parser in parsers:
        assert all(action.help for action in (*flags(parser).values(), *positionals(parser)))
        assert all(flag in method.__doc__ for flag in flags(parser))
    assert magic == "devices" or "Examples::" in method.__doc__
