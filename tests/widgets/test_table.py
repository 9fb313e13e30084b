from __future__ import annotations

import pytest
from sample_runs import Page

from jupyter_mltrain.widgets.table import Cell, Fields, Table

HOSTILE = [
    "<script>alert(1)</script>",
    "</td></tr></table><img src=x onerror=alert(1)>",
    '"\'` onmouseover=alert(1) x="',
    "</script><script>alert(1)</script>",
    "&lt;b&gt;",
    "]]>--><!--",
]


def test_text_aligns_names_left_and_numbers_right() -> None:
    table = Table(("metric", "train", "note"), [("loss", 0.0123, "a"), ("accuracy", 1.0, None), ("n", 12, "")], "Best")
    assert table.text() == "\n".join(
        [
            "Best",
            "  metric     train  note",
            "  loss      0.0123  a",
            "  accuracy    1.00",
            "  n             12",
        ]
    )


def test_text_cuts_long_cells_and_long_tables() -> None:
    lines = Table(("name", "text"), [(f"r{i}", "x" * 100) for i in range(60)]).text().splitlines()
    assert lines[1] == f"  r0    {'x' * 47}…"
    assert lines[-2:] == [f"  r49   {'x' * 47}…", "  … and 10 more"]


def test_html_is_a_plain_table_with_headers_for_columns_and_rows() -> None:
    page = Page(Table(("run", "loss"), [("a", 0.5), ("b", None)], "Two runs", sortable=False).html())
    assert page.rows == [["run", "loss"], ["a", "0.500"], ["b", ""]]
    headers = [attributes for tag, attributes in page.elements if tag == "th"]
    assert [header["scope"] for header in headers] == ["col", "col", "row", "row"]
    assert page.scripts == []
    assert "<caption>Two runs</caption>" in Table((), [], "Two runs").html()


def test_columns_of_numbers_are_set_to_the_right_by_one_rule() -> None:
    html = Table(("run", "tags", "loss", "size"), [("a", "b", 0.5, Cell("1 kB", 1000))], sortable=False).html()
    assert 'class="mltrain-n3 mltrain-n4"' in html
    assert ".mltrain-n3 tr>:nth-child(3)" in html


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_text_is_shown_and_does_nothing(hostile: str) -> None:
    html = Table((hostile, "b"), [(hostile, hostile), (hostile, 1.0)], hostile).html() + Fields([(hostile, hostile)]).html()
    page = Page(html)
    assert page.rows == [[hostile, "b"], [hostile, hostile], [hostile, "1.00"], [hostile, hostile]]
    assert {tag for tag, _ in page.elements} <= {"style", "div", "table", "caption", "thead", "tbody", "tr", "th", "td", "script"}
    assert {name for _, attributes in page.elements for name in attributes} <= {"class", "scope", "data-key", "style"}
    assert len(page.scripts) == 1
    assert "alert" not in page.scripts[0]


def test_very_long_and_many_line_text_stays_one_short_line_in_a_table_and_whole_among_fields() -> None:
    text = "line\n" + "x" * 10_000
    shown = Page(Table(("a", "b"), [(text, text)]).html())
    assert shown.rows[1] == ["line↵" + "x" * 294 + "…"] * 2
    styles = [attributes.get("style") or "" for tag, attributes in shown.elements if tag == "th"]
    assert ["overflow-wrap" in style for style in styles] == [False, False, True]
    assert text in Page(Fields([("a", text)]).html()).text
    long, short = Fields([(text, "1"), ("a", "2")]).text().splitlines()
    assert (len(long), short) == (305, f"  {'a':<48}  2")


def test_a_cell_carries_its_value_only_where_the_text_would_not_sort() -> None:
    rows = [("a", 0.5, 0.98765432, 12, Cell("1.50 MB", 1_500_000)), ("b", 0.25, 0.125, 3, Cell("7", 7))]
    cells = [a.get("data-key") for tag, a in Page(Table(("r", "x", "y", "n", "size"), rows).html()).elements if tag == "td"]
    assert cells == ["0.5", "0.987654", None, "1500000", "0.25", None, None, None]


def test_a_row_of_eight_texts_costs_no_more_than_120_bytes() -> None:
    def size(num_rows: int) -> int:
        return len(Table(tuple("abcdefgh"), [("x",) * 8] * num_rows).html())

    assert (size(1002) - size(2)) / 1000 - 8 <= 120


def test_fields_leave_out_what_is_empty() -> None:
    fields = Fields([("id", "01"), ("note", ""), ("registered as", None), ("tags", "a=b")])
    assert fields.text() == "  id    01\n  tags  a=b"
    assert Page(fields.html()).rows == [["id", "01"], ["tags", "a=b"]]
