from __future__ import annotations

from IPython.core.formatters import DisplayFormatter
from sample_runs import Page

from jupyter_mltrain.widgets.view import Findings, Line, Section, Verbatim


def test_a_view_is_its_text_in_a_console_and_html_in_a_notebook() -> None:
    bundle, _ = DisplayFormatter().format(Line("completed, 3 epochs", lead="digits"))
    assert bundle["text/plain"] == "digits: completed, 3 epochs" == repr(Line("completed, 3 epochs", lead="digits"))
    assert bundle["text/html"].endswith('<div class="mltrain"><p><strong>digits</strong>: completed, 3 epochs</p></div>')


def test_a_section_folds_its_views() -> None:
    section = Section("Cell <1>", (Verbatim("if a < b:\n    pass"), Line("end")), unfolded=True)
    assert section.text() == "\nCell <1>\n  if a < b:\n      pass\nend"
    assert section.html() == (
        "<details open><summary>Cell &lt;1&gt;</summary><pre>if a &lt; b:\n    pass</pre><p>end</p></details>"
    )


def test_findings_are_a_list() -> None:
    findings = Findings(["SQLite 3.40.1 is patched.", "Two\nlines"])
    assert findings.text() == "- SQLite 3.40.1 is patched.\n- Two↵lines"
    assert [tag for tag, _ in Page(findings.html()).elements] == ["ul", "li", "li"]


def test_the_style_closes_nothing_but_itself() -> None:
    bundle = Line("a")._repr_mimebundle_(include=None, exclude=None)
    assert [tag for tag, _ in Page(bundle["text/html"]).elements] == ["style", "div", "p"]
