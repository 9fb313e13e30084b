"""What `%runs reproduce` shows."""

from __future__ import annotations

from pathlib import Path

from sample_runs import make_run

from jupyter_mltrain.domain.origin import Origin
from jupyter_mltrain.domain.reproduction import Agreement, Reproduction
from jupyter_mltrain.domain.run import Failure, RunStatus
from jupyter_mltrain.widgets.reproduction_view import ReproductionView

EXACT = Agreement(ends=("completed", "completed"), num_epochs=4, metrics=(), weights=True, causes={})


def shown(agreement: Agreement | None, **changes: object) -> list[str]:
    folder = Path.cwd() / "digits-3-reproduce"
    done = Reproduction(
        run=make_run(**changes),
        origin=Origin(cells=("x = 1",), unknown={"<b>": "int"}, left_out=("!ls <b>",)),
        line="digits --epochs 4",
        script=folder / "digits-3.py",
        notebook=folder / "digits-3.ipynb",
        agreement=agreement,
    )
    assert "<b>" not in ReproductionView(done).html()
    return ReproductionView(done).text().splitlines()


def test_what_was_written_and_what_is_missing() -> None:
    assert shown(None) == [
        "Written: digits-3.py and digits-3.ipynb in digits-3-reproduce, with 1 earlier cell.",
        "  %%train digits --epochs 4",
        "Origin not known: <b> (int): no cell that ran made them; give them their values in these files.",
        "Left out: !ls <b>.",
    ]


def test_what_agrees_although_something_changed() -> None:
    causes = {"versions": ("keras 1, now 2",), "training": ("without --seed …",)}
    assert shown(Agreement(ends=EXACT.ends, num_epochs=4, metrics=(), weights=True, causes=causes))[:4] == [
        "digits#3 done again: agrees to the bit: every metric of 4 epochs, and the weights.",
        "",
        "Not as it was",
        "- versions: keras 1, now 2",
    ]


def test_what_differs_and_why_that_may_be() -> None:
    ends = ("completed", "failed, ValueError: oh")
    found = Agreement(ends=ends, num_epochs=2, metrics=("4 epochs, again 2",), weights=False, causes={"data": ("x is other",)})
    assert shown(found)[:9] == [
        "digits#3 done again: does not agree, compared over 2 epochs.",
        "",
        "What differs",
        "- it ended completed, and again failed, ValueError: oh",
        "- 4 epochs, again 2",
        "- the weights after the last epoch",
        "",
        "Why that may be",
        "- data: x is other",
    ]


def test_a_run_that_fails_again() -> None:
    ends = ("failed, ValueError: oh", "failed, ValueError: oh")
    failed = {"status": RunStatus.FAILED, "failure": Failure(kind="ValueError", message="oh", traceback="")}
    found = Agreement(ends=ends, num_epochs=1, metrics=(), weights=None, causes={})
    assert shown(found, **failed)[:2] == [
        "digits#3 done again: every metric of 1 epoch agrees to the bit; the weights cannot be compared.",
        "It ends as it did: failed, ValueError: oh.",
    ]
    assert shown(Agreement(ends=EXACT.ends, num_epochs=4, metrics=(), weights=False, causes={}))[:1] == [
        "digits#3 done again: every metric of 4 epochs agrees to the bit; the weights do not."
    ]
