"""The scripts of the live views, each joined of several files."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from jupyter_mltrain.widgets import live_widget


@pytest.mark.parametrize("widget", live_widget.LiveWidget.__subclasses__(), ids=lambda widget: widget.__name__)
def test_no_two_files_of_a_script_declare_one_name(widget: type[live_widget.LiveWidget]) -> None:
    declared = re.findall(r"^(?:async )?(?:function|const|let|class) (\w+)", str(widget._esm), re.MULTILINE)
    assert [name for name, count in Counter(declared).items() if count > 1] == []
