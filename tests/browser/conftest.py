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
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

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
_NOISE = ("debugger state", "Canceled future for")  # JupyterLab's own, when a page or a kernel goes while it is asked something
_IS_THEME = "name => document.body.dataset.jpThemeName.endsWith(name) && !document.querySelector('#jupyterlab-splash')"
_PANEL = ".jp-NotebookPanel:not(.lm-mod-hidden)"
_READY = """async ([isBusy, hasKernel]) => {
    await window.jupyterapp.restored;
    const panel = window.jupyterapp.shell.currentWidget;
    await panel.context.ready;
    if (hasKernel) await panel.sessionContext.ready;
    if (hasKernel && !isBusy) await panel.sessionContext.session.kernel.info;
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


@pytest.fixture
def expect(browser: Any) -> Any:
    """Playwright's assertions, which wait until they hold."""
    from playwright.sync_api import expect

    return expect


@dataclass(frozen=True)
class Server:
    """A running Jupyter server.

    Attributes:
        root: the folder that it serves.
        base: its address.
        page: the start of a notebook's address, for example `http://127.0.0.1:8888/lab/tree/`.
    """

    root: Path
    base: str
    page: str
    token: str


@pytest.fixture(scope="session")
def servers(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Server]]:
    """A function that starts an application's server when it is first asked for."""
    with ExitStack() as stack:

        @cache
        def start(application: str) -> Server:
            return stack.enter_context(_running(application, tmp_path_factory.mktemp(application)))

        yield start


@pytest.fixture
def server(request: pytest.FixtureRequest, servers: Callable[[str], Server]) -> Server:
    """JupyterLab, unless the test is parametrised with `notebook`, for Notebook 7, or `hub`, for JupyterLab as on JupyterHub."""
    return servers(getattr(request, "param", "lab"))


@contextmanager
def _running(application: str, root: Path) -> Iterator[Server]:
    token = secrets.token_hex(8)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        base = f"http://127.0.0.1:{free.getsockname()[1]}{_prefix(application)}"
    with (root / "server.log").open("wb") as log:
        command = _command(application, root, base, token)
        process = subprocess.Popen(command, cwd=root, env=_environment(root), stdout=log, stderr=log)
        try:
            _wait_until_up(process, f"{base}/api/status?token={token}", root / "server.log")
            yield Server(root, base, f"{base}/{'notebooks' if application == 'notebook' else 'lab/tree'}/", token)
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:  # its kernels have ended, but now and then a waiting thread of AnyIO keeps it
                process.kill()
                process.wait()


def _prefix(application: str) -> str:
    """Return what stands before every path of the server: a JupyterHub gives each user one."""
    return "/user/ada" if application == "hub" else ""


def _command(application: str, root: Path, base: str, token: str) -> list[str]:
    module, class_name = ("notebook", "JupyterNotebookApp") if application == "notebook" else ("jupyterlab", "LabApp")
    return [
        *(sys.executable, "-m", module, "--no-browser", "--allow-root", "--ip=127.0.0.1"),
        *(f"--port={urlsplit(base).port}", "--ServerApp.port_retries=0", f"--ServerApp.base_url={_prefix(application)}/"),
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
        errors: what the page has reported since it was first ready, but for `_NOISE`.
    """

    def __init__(self, page: Any, server: Server, path: Path, *, has_kernel: bool = True) -> None:
        self.page, self.path = page, path
        self.external: list[str] = []
        self.errors: list[str] = []
        self._address = f"{server.page}{path.name}?token={server.token}&reset"
        page.on("request", lambda request: self._note(request.url, (server.base, "data:", "blob:")))
        self.open(has_kernel=has_kernel)
        page.on("pageerror", lambda error: self._note_error(str(error)))
        page.on("console", lambda said: self._note_error(said.text) if said.type == "error" else None)

    def _note(self, address: str, known: tuple[str, ...]) -> None:
        if not address.startswith(known):
            self.external.append(address)

    def _note_error(self, text: str) -> None:
        if not any(noise in text for noise in _NOISE):
            self.errors.append(text)

    def open(self, *, is_busy: bool = False, has_kernel: bool = True) -> None:
        """Load the page, and wait until the kernel can run cells, or is connected if it is busy with one."""
        self.page.goto(self._address)
        self.page.wait_for_selector(f"{_PANEL} .jp-Cell", timeout=60_000)
        self.page.wait_for_function("() => window.jupyterapp", timeout=60_000)
        self.js(_READY, [is_busy, has_kernel])

    def js(self, function: str, argument: Any = None, *, timeout: float = 60) -> Any:
        """Return the value of a JavaScript function; unlike `page.evaluate` it ends after `timeout` seconds."""
        race = """([source, argument, seconds]) => Promise.race([
            (0, eval)(`(${source})`)(argument),
            new Promise((_, reject) => setTimeout(() => reject(new Error(`no answer: ${source}`)), seconds * 1000)),
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
        self.js(
            "async ([name, args]) => { await window.jupyterapp.commands.execute(name, args) }",
            [name, arguments or {}],
            timeout=timeout,
        )

    def theme(self, name: str) -> None:
        """Change to `Light` or `Dark`, and wait until that is done: JupyterLab fails where two changes meet."""
        self.command("apputils:change-theme", {"theme": f"JupyterLab {name}"})
        self.page.wait_for_function(_IS_THEME, arg=name)

    def save(self) -> str:
        """Save the notebook, and return the file's text."""
        self.command("docmanager:save")
        return self.path.read_text()

    def cell(self, index: int) -> Any:
        """Return the locator of a cell."""
        return self.page.locator(f"{_PANEL} .jp-Notebook .jp-Cell").nth(index)

    def output(self, index: int) -> Any:
        """Return the locator of all that a cell shows."""
        return self.cell(index).locator(".jp-OutputArea")

    def accessibility_faults(self, selector: str) -> list[str]:
        """Return what axe-core calls serious or critical within an element: the rule, and the element that breaks it."""
        from axe_playwright_python.sync_playwright import Axe

        violations = Axe().run(self.page, context=selector).response["violations"]
        grave = [each for each in violations if each["impact"] in ("serious", "critical")]
        return [f"{each['id']}: {node['html']}" for each in grave for node in each["nodes"]]

    def prompt(self, index: int) -> str:
        """Return `[*]:` while a cell runs or waits, `[3]:` when it has ended."""
        return str(self.cell(index).locator(".jp-InputPrompt").inner_text())


@pytest.fixture
def kernel(request: pytest.FixtureRequest, server: Server) -> str:
    """Name of a kernel on the installed ipykernel, or on the version that the test is parametrised with."""
    version = getattr(request, "param", None)
    if version is None:
        return "python3"
    name, folder = f"ipykernel-{version}", server.root / f".ipykernel-{version}"
    specification = server.root / ".data" / "kernels" / name / "kernel.json"
    if not specification.exists():
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", folder, f"ipykernel=={version}"]
        if subprocess.run(pip, check=False).returncode:
            pytest.skip(f"ipykernel {version} cannot be installed here")
        specification.parent.mkdir(parents=True)
        command = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        first = os.pathsep.join(filter(None, (str(folder), os.environ.get("PYTHONPATH"))))
        specification.write_text(
            json.dumps({"argv": command, "display_name": name, "language": "python", "env": {"PYTHONPATH": first}})
        )
    return name


OpenFile = Callable[..., BrowserNotebook]
OpenNotebook = Callable[..., BrowserNotebook]


@pytest.fixture
def open_file(request: pytest.FixtureRequest, server: Server, browser: Any) -> Iterator[OpenFile]:
    """A function `(path, has_kernel=True)` that opens a notebook that lies in the server's folder."""
    context = browser.new_context(**{"viewport": {"width": 1200, "height": 900}, **getattr(request, "param", {})})
    yield lambda path, **how: BrowserNotebook(context.new_page(), server, path, **how)
    context.close()


@pytest.fixture
def open_notebook(server: Server, open_file: OpenFile) -> OpenNotebook:
    """A function `(*cells, kernel="python3")` that makes a notebook and opens it."""

    def open_(*cells: str, kernel: str = "python3") -> BrowserNotebook:
        path = server.root / f"{secrets.token_hex(4)}.ipynb"
        metadata = {"kernelspec": {"name": kernel, "display_name": kernel, "language": "python"}}
        nbformat.write(nbformat.v4.new_notebook(cells=list(map(nbformat.v4.new_code_cell, cells)), metadata=metadata), path)
        return open_file(path)

    return open_
