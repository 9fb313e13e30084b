from __future__ import annotations

import base64
import io
import math
import random
import subprocess
import sys
from dataclasses import replace
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
from IPython.core.formatters import DisplayFormatter
from matplotlib import image
from sample_runs import Page, make_epochs, make_result, make_run, noisy_epochs

from jupyter_mltrain.domain.run import Run
from jupyter_mltrain.widgets import theme
from jupyter_mltrain.widgets.curves import CurvesPicture

TRAINING, VALIDATION = (tuple(int(colour[i : i + 2], 16) for i in (1, 3, 5)) for colour in theme.SERIES[:2])


def pixels(*runs: Run) -> Any:
    """The picture's red, green and blue, 0 to 255."""
    picture = CurvesPicture(runs).picture()
    return np.rint(image.imread(io.BytesIO(picture.png), format="png")[..., :3] * 255).astype(int)


def coloured(picture: Any, colour: tuple[int, ...]) -> Any:
    """Where the picture has nearly this colour."""
    return np.abs(picture - colour).max(axis=-1) == 0


def test_a_notebook_gets_a_png_and_a_text_without_what_changes_every_time() -> None:
    bundle, metadata = DisplayFormatter().format(CurvesPicture((make_run(),)))
    assert bundle["text/plain"] == "curves of loss, accuracy: 4 epochs"
    assert set(bundle) == {"text/plain", "image/png"}
    picture = image.imread(io.BytesIO(base64.b64decode(bundle["image/png"])), format="png")
    assert picture.shape[:2] == (384, 1152)
    assert metadata["image/png"] == {"width": 765, "height": 255, "alt": bundle["text/plain"]}


@pytest.mark.parametrize(
    ("names", "size"), [(("loss",), (425, 255)), (tuple("abcd"), (765, 459)), (tuple("abcdefg"), (765, 459))]
)
def test_there_is_a_panel_for_each_of_up_to_four_metrics(names: tuple[str, ...], size: tuple[int, int]) -> None:
    picture = CurvesPicture((make_run(epochs=make_epochs(3, *names)),))
    assert (picture.picture().width, picture.picture().height) == size
    assert picture.text() == f"curves of {', '.join(names[:4])}: 3 epochs"


def test_200_ragged_epochs_of_four_metrics_are_under_60_kb_and_always_the_same_bytes() -> None:
    run = make_run(epochs=noisy_epochs(200, "loss", "accuracy", "auc", "mae"))
    picture = CurvesPicture((run,)).picture()
    assert 10_000 < len(picture.png) < 60_000
    assert CurvesPicture((run,)).picture() == picture


def test_training_and_validation_are_drawn_on_a_white_ground() -> None:
    picture = pixels(make_run())
    assert (picture[:2] == 255).all()
    assert (picture[:, -2:] == 255).all()
    assert coloured(picture, TRAINING).sum() > 2000
    assert 1000 < coloured(picture, VALIDATION).sum() < coloured(picture, TRAINING).sum()  # dashed


def test_one_epoch_is_a_visible_dot() -> None:
    panels = pixels(make_run(epochs=make_epochs(1, "loss", "accuracy"), result=make_result(best_epoch=None)))[60:]
    assert coloured(panels, TRAINING).sum() > 20
    assert coloured(panels, VALIDATION).sum() > 20


def test_values_that_are_not_finite_leave_a_gap_and_missing_ones_do_not() -> None:
    epochs = make_epochs(30, "loss")
    flat = [replace(epoch, metrics={"loss": 0.5 + epoch.number / 1000}) for epoch in epochs]
    result = make_result(best_epoch=None)

    def drawn(changed: dict[int, dict[str, float]]) -> int:
        shown = tuple(replace(epoch, metrics=changed.get(epoch.number, epoch.metrics)) for epoch in flat)
        return int(coloured(pixels(make_run(epochs=shown, result=result)), TRAINING).any(axis=0).sum())

    whole = drawn({})
    assert drawn({n: {} for n in range(10, 20)}) == whole
    assert drawn({n: {"loss": math.nan} for n in range(10, 20)}) < 0.75 * whole
    assert drawn({n: {"loss": math.inf} for n in range(10, 20)}) < 0.75 * whole


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1e300, -1e300])
def test_any_value_can_be_drawn_and_be_the_best(value: float, recwarn: pytest.WarningsRecorder) -> None:
    epochs = tuple(replace(epoch, metrics={"loss": value if epoch.number > 2 else 1.0}) for epoch in make_epochs(4, "loss"))
    CurvesPicture((make_run(epochs=epochs, result=make_result(best_epoch=3)),)).picture()
    CurvesPicture((make_run(epochs=epochs[2:], result=None),)).picture()
    assert [str(warning.message) for warning in recwarn] == []


def test_the_best_epoch_is_marked() -> None:
    unmarked = pixels(make_run(result=make_result(best_epoch=None)))[60:]
    marked = pixels(make_run(result=make_result(best_epoch=3)))[60:]
    assert coloured(marked, TRAINING).sum() > coloured(unmarked, TRAINING).sum() + 50


def test_what_changes_every_time_is_written_at_the_foot_of_the_picture_alone() -> None:
    one, other = pixels(make_run()), pixels(make_run(number=4, result=make_result(duration=9.9, model_id="digits@44")))
    rows = np.flatnonzero((one != other).any(axis=(1, 2)))
    assert rows.min() > 0.9 * one.shape[0]


def test_several_runs_have_a_colour_each() -> None:
    epochs = make_epochs(20, "loss")
    others = tuple(replace(epoch, metrics={"loss": 1 - epoch.metrics["loss"]}) for epoch in epochs)
    runs = [make_run(number=1, epochs=epochs), make_run(number=2, epochs=others)]
    picture = pixels(*runs)
    assert coloured(picture, TRAINING).sum() > 1000
    assert coloured(picture, VALIDATION).sum() > 1000
    assert CurvesPicture(tuple(runs)).text() == "curves of loss: 2 runs"


@pytest.mark.parametrize("name", ["$x^2$", r"$\frac{$", "a$b", r"\frac{", "准确率", "a\nb\u202ec", "_private", "x" * 10_000])
def test_any_name_of_a_metric_is_drawn_without_a_word(name: str, recwarn: pytest.WarningsRecorder, capfd: Any) -> None:
    CurvesPicture((make_run(epochs=make_epochs(2, name)),)).picture()
    assert [str(warning.message) for warning in recwarn] == []
    assert capfd.readouterr() == ("", "")


def test_without_a_metric_there_is_a_sentence_in_place_of_the_picture() -> None:
    for epochs in ((), make_epochs(2)):
        picture = CurvesPicture((make_run(epochs=epochs),))
        assert picture._repr_mimebundle_() == {"text/plain": "no curves: no epoch has a metric"}
        assert picture.html() == "<p>no curves: no epoch has a metric</p>"


def test_html_holds_the_whole_picture() -> None:
    picture = CurvesPicture((make_run(epochs=make_epochs(2, "<loss>")),))
    ((tag, attributes),) = Page(picture.html()).elements
    assert (tag, attributes["alt"]) == ("img", "curves of <loss>: 2 epochs")
    assert base64.b64decode(str(attributes["src"]).partition(",")[2]) == picture.picture().png


def test_the_users_settings_neither_change_nor_are_changed() -> None:
    plain = CurvesPicture((make_run(),)).picture()
    settings = {"axes.facecolor": "black", "text.usetex": True, "figure.dpi": 30, "savefig.dpi": 17, "lines.linewidth": 9}
    with mpl.rc_context(settings):
        before = mpl.rcParams.copy()
        assert CurvesPicture((make_run(),)).picture() == plain
        assert mpl.rcParams.copy() == before


def test_random_numbers_continue_as_if_nothing_was_drawn() -> None:
    before = random.getstate(), np.random.get_state()[1].tolist()
    CurvesPicture((make_run(),)).picture()
    assert (random.getstate(), np.random.get_state()[1].tolist()) == before


def test_a_fresh_process_draws_without_pyplot_without_random_numbers_and_in_silence(tmp_path: Any) -> None:
    script = """
import pickle, random, sys
import numpy as np
sys.path.insert(0, sys.argv[1])
from sample_runs import make_run
from jupyter_mltrain.widgets.curves import CurvesPicture
assert "matplotlib" not in sys.modules
before = pickle.dumps((random.getstate(), np.random.get_state()))
CurvesPicture((make_run(),)).picture()
assert pickle.dumps((random.getstate(), np.random.get_state())) == before
assert "matplotlib.pyplot" not in sys.modules
import matplotlib
assert dict.__getitem__(matplotlib.rcParams, "axes.facecolor") == "white"
assert matplotlib.rcParams._get("backend") is matplotlib.rcsetup._auto_backend_sentinel
"""
    # an unwritable folder for its fonts makes matplotlib say so
    (tmp_path / "file").touch()
    environment = {"MPLCONFIGDIR": str(tmp_path / "file"), "PATH": ""}
    command = [sys.executable, "-c", script, str(__import__("pathlib").Path(__file__).parent)]
    process = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert (process.returncode, process.stdout, process.stderr) == (0, "", "")
