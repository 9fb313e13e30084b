"""What a cell shows of TensorBoard, and what stays of it."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from sample_runs import Page, make_run
from sample_searches import SMALL

from jupyter_mltrain.domain.board import Board, BoardServer
from jupyter_mltrain.widgets.board_view import BoardView, pictures

RUN = make_run()
SERVER = BoardServer(process=RUN.process, port=6006, prefix="/3f9c")
BOARD = Board(server=SERVER, chosen=(RUN,), runs=(RUN,), run_filter="^(digits#3)(/|$)")


def test_the_text_has_an_address_only_where_no_browser_shows_it():
    assert repr(BoardView(BOARD, is_in_browser=True)) == "TensorBoard: digits#3."
    assert repr(BoardView(BOARD, is_in_browser=False)) == "TensorBoard: digits#3 at http://127.0.0.1:6006/3f9c/."
    everything = replace(BOARD, chosen=())
    assert repr(BoardView(everything, is_in_browser=True)) == "TensorBoard: the runs of this home."


def test_the_html_holds_no_frame_but_a_line_and_what_the_script_needs():
    page = Page(BoardView(BOARD, is_in_browser=True).html())
    assert page.text == "TensorBoard: digits#3."
    (place,) = [attributes for _, attributes in page.elements if "data-board" in attributes]
    board = json.loads(place["data-board"])
    assert (board["port"], board["prefix"]) == (6006, "/3f9c")
    assert board["query"] == "?runFilter=%5E%28digits%233%29%28%2F%7C%24%29#timeseries"
    assert "forward its port 6006" in board["unreached"]
    assert [name for name, _ in page.elements] == ["p", "strong", "div", "script"]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, ["curves of loss, accuracy: 4 epochs"]),
        ({"runs": (RUN, replace(RUN, number=4))}, ["curves of loss, accuracy: 2 runs"]),
        ({"runs": (replace(RUN, epochs=()),)}, []),
        ({"chosen": (), "runs": ()}, []),
    ],
)
def test_the_pictures_show_the_same_runs(changes, expected):
    assert [each.text() for each in pictures(replace(BOARD, **changes))] == expected


def test_a_search_has_its_own_picture_below_the_curves_of_runs():
    shown = list(pictures(replace(BOARD, chosen=(RUN, SMALL))))
    assert shown[0].text() == "curves of loss, accuracy: 4 epochs"
    assert shown[1].text().endswith("by val_accuracy: 5 trials")
    assert len(shown) == 2
