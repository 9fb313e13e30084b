"""A real browser before a real Jupyter server: `open_notebook` gives a notebook that is ready to run."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import pytest

_CHROMIUM = os.environ.get("CHROMIUM") or next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
_CHROMIUM_ARGUMENTS = (
    "--no-sandbox",  # a container's root may have none
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
_SETTINGS = {  # each would make a test depend on the moment
    "@jupyterlab/apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
    "@jupyterlab/notebook-extension/tracker": {"windowingMode": "none"},  # every cell is in the document
    "@jupyterlab/docmanager-extension/plugin": {"autosave": False},
}
_PANEL = ".jp-NotebookPanel:not(.lm-mod-hidden)"
_READY = """async () => {
    await window.jupyterapp.restored;
    const panel = window.jupyterapp.shell.currentWidget;
    await panel.context.ready;
    await panel.sessionContext.ready;
    await panel.sessionContext.session.kernel.%s;
}"""


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Chromium; without one the test is skipped, in continuous integration it fails."""
    if _CHROMIUM is None:
        outcome = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
        outcome("no Chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=_CHROMIUM, args=_CHROMIUM_ARGUMENTS)
        yield browser
        browser.close()


@dataclass(frozen=True)
class Server:
    """A running Jupyter server.

    Attributes:
        root: the folder that it serves.
        page: the start of a notebook's address, for example `http://127.0.0.1:8888/lab/tree/`.
    """

    root: Path
    base: str
    page: str
    token: str


@pytest.fixture(scope="session")
def server(request: pytest.FixtureRequest, browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """JupyterLab, or what the test is parametrised with: `lab` or `notebook` (Notebook 7)."""
    application = getattr(request, "param", "lab")
    root, token = tmp_path_factory.mktemp(application), secrets.token_hex(8)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        base = f"http://127.0.0.1:{free.getsockname()[1]}"
    with (root / "server.log").open("wb") as log:
        process = subprocess.Popen(
            _command(application, root, base, token), cwd=root, env=_environment(root), stdout=log, stderr=log
        )
        _wait_until_up(process, f"{base}/api/status?token={token}", root / "server.log")
        yield Server(root, base, f"{base}/{'lab/tree' if application == 'lab' else 'notebooks'}/", token)
        process.terminate()
        process.wait(20)


def _command(application: str, root: Path, base: str, token: str) -> list[str]:
    class_name = "LabApp" if application == "lab" else "JupyterNotebookApp"
    return [
        *(sys.executable, "-m", "jupyterlab" if application == "lab" else "notebook"),
        *("--no-browser", "--allow-root", "--ip=127.0.0.1", f"--port={base.rpartition(':')[2]}", "--ServerApp.port_retries=0"),
        *(f"--IdentityProvider.token={token}", f"--ServerApp.root_dir={root}", f"--{class_name}.expose_app_in_browser=True"),
        *("--LabApp.news_url=None", "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"),
    ]


def _environment(root: Path) -> dict[str, str]:
    for plugin, settings in _SETTINGS.items():
        file = root / ".settings" / f"{plugin}.jupyterlab-settings"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(settings))
    folders = {
        "JUPYTERLAB_SETTINGS_DIR": ".settings",
        "JUPYTERLAB_WORKSPACES_DIR": ".workspaces",
        "JUPYTER_CONFIG_DIR": ".config",
        "JUPYTER_DATA_DIR": ".data",
        "JUPYTER_RUNTIME_DIR": ".runtime",
        "IPYTHONDIR": ".ipython",
    }
    return {**os.environ, **{name: str(root / folder) for name, folder in folders.items()}}


def _wait_until_up(process: subprocess.Popen[bytes], address: str, log: Path) -> None:
    for _ in range(240):
        assert process.poll() is None, log.read_text()
        try:
            urllib.request.urlopen(address, timeout=1).close()
        except (urllib.error.URLError, OSError):
            time.sleep(0.25)
        else:
            return
    pytest.fail(f"the server did not answer: {log.read_text()}")


class BrowserNotebook:
    """A notebook in the browser.

    Attributes:
        page: Playwright's page; wait with its methods, `time.sleep` would hold back what it has to do.
        path: the notebook's file.
        external: addresses outside of the server that the page has asked for.
    """

    def __init__(self, page: Any, server: Server, path: Path) -> None:
        self.page, self.path = page, path
        self.external: list[str] = []
        self._address = f"{server.page}{path.name}?token={server.token}&reset"
        page.on("request", lambda request: self._note(request.url, (server.base, "data:", "blob:")))
        self.open()

    def _note(self, address: str, known: tuple[str, ...]) -> None:
        if not address.startswith(known):
            self.external.append(address)

    def open(self, *, kernel: str = "info") -> None:
        """Load the page, and wait until the kernel can run cells."""
        self.page.goto(self._address)
        self.page.wait_for_selector(f"{_PANEL} .jp-Cell", timeout=60_000)
        self.page.wait_for_function("() => window.jupyterapp", timeout=60_000)
        self.js(_READY % kernel)

    def js(self, function: str, argument: Any = None, *, timeout: float = 60) -> Any:
        """Return the value of a JavaScript function; unlike `page.evaluate` it ends after `timeout` seconds."""
        race = """([source, argument, seconds]) => Promise.race([
            (0, eval)(`(${source})`)(argument),
            new Promise((_, reject) => setTimeout(() => reject(new Error("no answer")), seconds * 1000)),
        ])"""
        return self.page.evaluate(race, [function, argument, timeout])

    def start(self, index: int) -> None:
        """Run a cell and do not wait for it."""
        self.js(
            """index => {
                window.jupyterapp.shell.currentWidget.content.activeCellIndex = index;
                window.running = window.jupyterapp.commands.execute("notebook:run-cell");
            }""",
            index,
        )

    def wait(self, *, timeout: float = 60) -> None:
        """Wait until the cell that was started last has ended."""
        self.js("async () => { await window.running }", timeout=timeout)

    def run(self, index: int, *, timeout: float = 60) -> None:
        """Run a cell to its end."""
        self.start(index)
        self.wait(timeout=timeout)

    def run_all(self, *, timeout: float = 60) -> None:
        """Run all cells to their end."""
        self.command("notebook:run-all-cells", timeout=timeout)

    def command(self, name: str, arguments: dict[str, Any] | None = None, *, timeout: float = 60) -> None:
        """Do what a menu entry of the front end does."""
        self.js("async ([name, args]) => { await window.jupyterapp.commands.execute(name, args) }", [name, arguments or {}], timeout=timeout)

    def save(self) -> nbformat.NotebookNode:
        """Save the notebook, and return what the file holds now."""
        self.command("docmanager:save")
        return nbformat.read(self.path, as_version=4)

    def cell(self, index: int) -> Any:
        """Return the locator of a cell."""
        return self.page.locator(f"{_PANEL} .jp-Notebook .jp-Cell").nth(index)

    def output(self, index: int) -> Any:
        """Return the locator of all that a cell shows."""
        return self.cell(index).locator(".jp-OutputArea")

    def prompt(self, index: int) -> str:
        """Return `[*]:` while a cell runs or waits, `[3]:` when it has ended."""
        return str(self.cell(index).locator(".jp-InputPrompt").inner_text())


OpenNotebook = Callable[..., BrowserNotebook]


@pytest.fixture
def open_notebook(server: Server, browser: Any) -> Iterator[OpenNotebook]:
    """A function `(*cells, kernel="python3")` that makes a notebook and opens it."""
    context = browser.new_context(viewport={"width": 1200, "height": 900})

    def open_(*cells: str, kernel: str = "python3") -> BrowserNotebook:
        path = server.root / f"{secrets.token_hex(4)}.ipynb"
        metadata = {"kernelspec": {"name": kernel, "display_name": kernel, "language": "python"}}
        nbformat.write(nbformat.v4.new_notebook(cells=list(map(nbformat.v4.new_code_cell, cells)), metadata=metadata), path)
        return BrowserNotebook(context.new_page(), server, path)

    yield open_
    context.close()
