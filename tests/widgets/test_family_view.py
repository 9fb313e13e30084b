from __future__ import annotations

from dataclasses import replace

from sample_runs import Page, make_result, make_run

from jupyter_mltrain.domain.family import families
from jupyter_mltrain.domain.run import Parent, RunStatus
from jupyter_mltrain.widgets.family_view import FamilyTree

FIRST = make_run(id="a", number=1)
SECOND = make_run(
    id="b", number=2, parent=Parent(id="a", ref="digits#1", epoch=2), options={"fork": "digits#1@2"}, result=make_result(epochs=1)
)
THIRD = make_run(
    id="c",
    name="<b>",
    number=1,
    parent=Parent(id="b", ref="digits#2", epoch=3, step=7),
    options={"fork": "digits#2", "epochs": 9, "note": "x", "tags": {"a": "b"}},
    source="%%train\nother()",
    status=RunStatus.FAILED,
    result=None,
)
LOST = replace(SECOND, id="d", number=4, parent=Parent(id="z", ref="gone#1", epoch=5))


def test_each_run_stands_above_its_forks_which_are_set_in() -> None:
    tree = FamilyTree(families([FIRST, SECOND, THIRD, LOST]))
    assert tree.text().splitlines() == [
        "  run         forked                                     status     epochs  best score  by        changed",
        "  digits#1                                               completed  1 to 4      0.0812  val_loss",
        "    digits#2  after epoch 2                              completed  3           0.0812  val_loss  no epochs",
        "      <b>#1   after epoch 3 and 7 steps                  failed                                   epochs 9, cell",
        "  digits#4    after epoch 5 of gone#1, which is removed  completed  6           0.0812  val_loss",
    ]
    assert repr(tree) == tree.text()


def test_in_a_browser_too_where_blanks_count_for_nothing() -> None:
    page = Page(FamilyTree(families([FIRST, SECOND, THIRD])).html())
    assert [row[0] for row in page.rows[1:]] == ["digits#1", "\xa0\xa0digits#2", "\xa0\xa0\xa0\xa0<b>#1"]
    assert "<b>" not in {f"<{tag}>" for tag, _ in page.elements}


def test_without_forks_it_says_how_to_make_one() -> None:
    assert FamilyTree(()).text().startswith("No run was forked yet: put %%train --fork RUN@EPOCH")
