"""TensorBoard in a cell of JupyterLab: on its port, behind a proxy, where neither is reached, and in the saved notebook."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from jupyter_mltrain.engine.board_server import find_server
from jupyter_mltrain.services.board import stop_board
from jupyter_mltrain.services.session import Session

LOAD = '%load_ext jupyter_mltrain\n%config MLTrain.home = "{home}"'
METRIC = "<img src=x onerror=alert(1)>\"'" + "x" * 500
PREPARE = f"""
import keras, jupyter_mltrain, numpy as np
x, y = np.ones((8, 2), "float32"), np.ones((8, 1), "float32")
for name in ("digits", "digits", "other"):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse", metrics=[keras.metrics.MeanAbsoluteError(name={METRIC!r})])
    jupyter_mltrain.train(model, data=(x, y), epochs=2, name=name)
"""
DIRECT, PROXIED = "http://127.0.0.1:*/*/here", "**/proxy/*/**"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with `digits#1`, `digits#2` and `other#1`."""
    home = tmp_path_factory.mktemp("trained") / "home"
    subprocess.run([sys.executable, "-c", PREPARE], env={**os.environ, "MLTRAIN_HOME": str(home)}, check=True)
    return home


@pytest.fixture
def home(tmp_path: Path, trained: Path) -> Iterator[Path]:
    shutil.copytree(trained, tmp_path / "home")
    yield tmp_path / "home"
    session = Session(str(tmp_path / "home"))
    stop_board(session)
    session.close()


@pytest.fixture
def prepared(open_notebook: Any, home: Path) -> Any:
    notebook = open_notebook(LOAD.format(home=home), "%runs board digits#1 other")
    notebook.run(0)
    return notebook


def address(home: Path) -> str:
    (file,) = (home / "board").glob("*.json")
    server = find_server(file)
    assert server is not None
    return server.address


def is_seen(notebook: Any, expect: Any) -> None:
    """See in the frame a chart, and which runs are looked at."""
    output = notebook.output(1)
    expect(output.locator("iframe")).to_have_attribute("title", "TensorBoard: digits#1, other#1.")
    frame = output.frame_locator("iframe")
    expect(frame.get_by_text("epoch_loss").first).to_be_visible(timeout=60_000)
    expect(frame.get_by_text(METRIC[:40]).first).to_be_visible()
    assert frame.locator("img[src=x]").count() == 0
    runs = frame.locator("runs-data-table")
    for name in ("digits#1/train", "other#1/train"):
        expect(runs.get_by_text(name, exact=True)).to_be_visible()
    expect(runs.get_by_text("digits#2/train", exact=True)).to_have_count(0)


@pytest.mark.parametrize("server", ["lab", "notebook"], indirect=True)
def test_it_is_seen_on_its_port_and_what_stays_is_a_picture(prepared: Any, home: Path, open_file: Any, expect: Any) -> None:
    prepared.run(1, timeout=60)
    is_seen(prepared, expect)
    expect(prepared.output(1).locator("iframe")).to_have_attribute(
        "src", f"{address(home)}?runFilter=%5E%28digits%231%7Cother%231%29%28%2F%7C%24%29#timeseries"
    )
    saved = json.loads(prepared.save())["cells"][1]["outputs"]
    assert ["".join(each["data"]["text/plain"]) for each in saved] == [
        "TensorBoard: digits#1, other#1.",
        f"curves of loss, {METRIC[:59]}…: 2 runs",
    ]
    assert prepared.accessibility_faults(".mltrain:has(.mltrain-board)") == []
    assert "iframe" not in "".join(saved[0]["data"]["text/html"]).partition("<script>")[0]
    session = Session(str(home))
    stop_board(session)
    session.close()
    again = open_file(prepared.path, has_kernel=False)
    expect(again.output(1)).to_contain_text("TensorBoard: digits#1, other#1.")
    expect(again.output(1).locator("img")).to_be_visible()
    expect(again.output(1).get_by_role("status")).to_contain_text("Run the cell again")
    expect(again.output(1).locator("iframe")).to_have_count(0)


@pytest.mark.parametrize("server", ["hub"], indirect=True)
def test_it_is_seen_behind_a_proxy_and_the_prefix_of_a_hub(prepared: Any, home: Path, expect: Any) -> None:
    """jupyter-server-proxy is installed with the tests, and enabled in the server."""
    asked: list[str] = []
    prepared.page.on("request", lambda request: asked.append(request.url))
    prepared.page.route(DIRECT, lambda route: route.abort() if "/proxy/" not in route.request.url else route.fallback())
    prepared.run(1, timeout=60)
    is_seen(prepared, expect)
    assert "/user/ada/lab/" in prepared.page.url
    proxied = f"{prepared.page.url.partition('/lab/')[0]}/proxy/{address(home).removeprefix('http://127.0.0.1:')}"
    assert prepared.output(1).locator("iframe").get_attribute("src").startswith(proxied)
    assert len([each for each in asked if each.startswith(proxied)]) > 3
    known = ("here", ".woff2")  # its own fonts, which it looks for at the root of the machine, in vain
    assert [each for each in prepared.external if not each.endswith(known)] == []


def test_where_it_is_not_reached_the_page_says_so_and_shows_the_curves(prepared: Any, home: Path, expect: Any) -> None:
    for address_ in (DIRECT, PROXIED):
        prepared.page.route(address_, lambda route: route.abort())
    prepared.run(1, timeout=60)
    port = address(home).split(":")[2].partition("/")[0]
    said = prepared.output(1).get_by_role("status")
    expect(said).to_contain_text(f"Install jupyter-server-proxy there, or forward its port {port}.")
    expect(prepared.output(1).locator("iframe")).to_have_count(0)
    expect(prepared.output(1).locator("img")).to_be_visible()
    urllib.request.urlopen(address(home)).close()
