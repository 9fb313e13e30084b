from __future__ import annotations

from typing import Any

import pytest

from jupyter_mltrain.widgets.table import Cell, Table


@pytest.fixture
def page(browser: Any) -> Any:
    page = browser.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    page.close()
    assert errors == []


def show(page: Any, *tables: Table) -> None:
    page.set_content("".join(table._repr_mimebundle_()["text/html"] for table in tables))


def column(page: Any, number: int) -> list[str]:
    return list(page.locator(f"tbody tr > :nth-child({number})").all_inner_texts())


def sort_by(page: Any, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


ROWS = [
    ("b", 9.0, Cell("2.00 MB", 2_000_000), "run#10"),
    ("a", 10.0, Cell("9.00 kB", 9_000), "run#9"),
    ("d", None, None, ""),
    ("c", 0.000012, Cell("10.0 B", 10), "<b>"),
]


def test_headers_sort_numbers_by_value_and_leave_the_empty_last(page: Any) -> None:
    show(page, Table(("name", "loss", "size", "ref"), ROWS))
    sort_by(page, "loss")
    assert column(page, 2) == ["1.20e-05", "9.00", "10.0", ""]
    assert page.get_by_role("columnheader", name="loss").get_attribute("aria-sort") == "ascending"
    sort_by(page, "loss")
    assert column(page, 2) == ["10.0", "9.00", "1.20e-05", ""]
    sort_by(page, "size")
    assert column(page, 3) == ["10.0 B", "9.00 kB", "2.00 MB", ""]
    sort_by(page, "ref")
    assert column(page, 4) == ["<b>", "run#9", "run#10", ""]
    assert page.locator("[aria-sort]").count() == 1


def test_a_short_table_has_no_search_and_a_longer_one_has(page: Any) -> None:
    show(page, Table(("name",), [(f"row {i}",) for i in range(10)]))
    assert page.get_by_role("searchbox").count() == 0
    show(page, Table(("name",), [(f"row {i}",) for i in range(11)]))
    page.get_by_role("searchbox").fill("ROW 1")
    assert column(page, 1) == ["row 1", "row 10"]
    assert page.get_by_role("status").inner_text() == "2 of 11 rows"


def test_long_tables_are_paged_and_sorted_and_searched_as_a_whole(page: Any) -> None:
    show(page, Table(("name", "n"), [(f"row {i}", i) for i in range(120)]))
    assert (len(column(page, 1)), page.get_by_role("status").inner_text()) == (50, "1\N{EN DASH}50 of 120 rows")
    for _ in range(2):
        page.get_by_role("button", name="Next page").click()
    assert column(page, 2) == [str(i) for i in range(100, 120)]
    assert page.get_by_role("button", name="Next page").is_disabled()
    sort_by(page, "n")
    sort_by(page, "n")
    assert column(page, 2)[0] == "119"
    page.get_by_role("searchbox").fill("row 1")
    assert page.get_by_role("status").inner_text() == "31 of 120 rows"
    assert column(page, 2)[-1] == "1"


def test_two_tables_in_a_document_do_not_disturb_each_other(page: Any) -> None:
    show(page, Table(("x",), [("2",), ("1",)]), Table(("y",), [("b",), ("a",)]))
    sort_by(page, "y")
    assert column(page, 1) == ["2", "1", "a", "b"]
    assert page.get_by_role("button").count() == 2


def test_without_scripts_all_rows_are_there(browser: Any) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    show(page, Table(("name",), [(f"row {i}",) for i in range(120)]))
    assert page.locator("tbody tr").count() == 120
    context.close()


def test_ten_thousand_rows_answer(page: Any) -> None:
    show(page, Table(("name", "n"), [(f"row {i}", -i) for i in range(10_000)]))
    sort_by(page, "n")
    assert column(page, 2)[0] == "-9999"
