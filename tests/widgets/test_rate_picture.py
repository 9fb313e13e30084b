from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from matplotlib import image
from sample_runs import FACTS, make_run

from jupyter_mltrain.widgets import theme
from jupyter_mltrain.widgets.rate_picture import RatePicture
from jupyter_mltrain.widgets.run_view import RunDetails

RATES = [10 ** (-6 + n / 20) for n in range(120)]
LOSSES = [2 - 1.5 / (1 + (1e-3 / rate) ** 2) for rate in RATES]


def make_test(**changes: Any) -> dict[str, Any]:
    return {"rates": RATES, "losses": LOSSES, "smoothed": LOSSES, "chosen": 0.001, **changes}


def pixels(test: dict[str, Any]) -> Any:
    picture = RatePicture(test).picture()
    assert picture is not None
    return np.rint(image.imread(io.BytesIO(picture.png), format="png")[..., :3] * 255).astype(int)


def count(picture: Any, colour: str) -> int:
    return int((picture == [int(colour[i : i + 2], 16) for i in (1, 3, 5)]).all(axis=-1).sum())


def test_the_text_has_no_number_and_the_picture_is_small_and_always_the_same() -> None:
    bundle, metadata = RatePicture(make_test())._repr_mimebundle_()
    assert bundle["text/plain"] == "learning-rate range test: loss by learning rate"
    assert metadata["image/png"] == {"width": 425, "height": 221, "alt": bundle["text/plain"]}
    first, second = (RatePicture(make_test()).picture() for _ in range(2))
    assert first == second
    assert first is not None
    assert len(first.png) < 15_000


def test_the_chosen_rate_is_marked() -> None:
    assert count(pixels(make_test()), theme.SERIES[1]) > 100
    assert count(pixels(make_test(chosen=None)), theme.SERIES[1]) == 0


@pytest.mark.parametrize("losses", [[2.0] * 120, [0.0] * 120, [2.0, 1.0], [1.0]])
def test_flat_and_short_curves_can_be_drawn(losses: list[float]) -> None:
    test = make_test(rates=RATES[: len(losses)], losses=losses, smoothed=losses, chosen=None)
    assert count(pixels(test), theme.SERIES[0]) > 0 or len(losses) == 1


def test_what_diverges_does_not_flatten_the_fall() -> None:
    blown = [*LOSSES[:-5], 1e3, 1e4, 1e5, 1e6, 1e7]
    rows = (pixels(make_test(losses=blown, smoothed=blown, chosen=None)) == [0, 114, 178]).all(axis=-1).any(axis=1)
    assert rows.sum() > 100


def test_without_a_point_there_is_a_sentence() -> None:
    view = RatePicture(make_test(rates=[], losses=[], smoothed=[], chosen=None))
    assert view._repr_mimebundle_() == {"text/plain": "learning-rate range test: no finite loss"}
    assert view.html() == "<p>learning-rate range test: no finite loss</p>"


def test_a_run_that_was_searched_for_says_so_in_its_details() -> None:
    sizes = {"sizes": [32, 64], "samples_per_second": [1000, 1900], "chosen": 64}
    details = RunDetails(make_run(facts={**FACTS, "lr_range": [make_test()], "batch_sizes": sizes}))
    assert (
        "\nBatch sizes tried\n  sizes               32, 64\n  samples_per_second  1000, 1900\n  chosen              64\n"
        in details.text()
    )
    assert details.html().count('<img src="data:image/png;base64,') == 1
    assert "lr_range" not in details.text()
