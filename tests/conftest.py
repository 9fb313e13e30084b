"""One real IPython shell with the extension loaded, each test in a namespace and a home of its own."""

from __future__ import annotations

import gc
import os
import subprocess
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output

from tests.postgres import Server, server

os.environ["MLTRAIN_STORE"] = os.environ["MLTRAIN_ARTIFACTS"] = ""  # no test records in a database that somebody uses


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--faults", type=int, default=1, metavar="TIMES", help="try so many times as many faults, kills among them")


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print what the tests of faults tried, in a report below all others."""
    ended = [report for outcome in ("passed", "failed") for report in terminalreporter.getreports(outcome)]
    told = [(report, text) for report in ended for name, text in report.user_properties if name == "faults"]
    if told:
        terminalreporter.section("faults")
    for report, text in told:
        terminalreporter.write_line(f"{report.outcome}: {text}")


class Faults:
    """How many faults a test tries, and what it reports of them."""

    def __init__(self, times: int, record_property: Callable[[str, object], None]) -> None:
        self._times, self._record = times, record_property

    def number(self, least: int) -> int:
        """Return `least`, or so many times that as `--faults` asks for."""
        return least * self._times

    def report(self, text: str) -> None:
        """Say what was tried."""
        self._record("faults", text)


@pytest.fixture
def faults(request: pytest.FixtureRequest, record_property: Callable[[str, object], None]) -> Faults:
    return Faults(request.config.getoption("--faults"), record_property)


class Notebook:
    """Runs cells in a real shell, and keeps what they show."""

    def __init__(self, shell: InteractiveShell, home: Path) -> None:
        self.shell, self.home = shell, home
        self.stdout = self.stderr = ""
        self.outputs: list[Any] = []
        self.error: BaseException | None = None

    def run(self, cell: str) -> Notebook:
        """Run a cell; raise what it raises."""
        self.try_run(cell)
        if self.error is not None:
            raise self.error
        return self

    def try_run(self, cell: str) -> Notebook:
        """Run a cell; keep what it raises in `error`."""
        with capture_output() as captured:
            result = self.shell.run_cell(textwrap.dedent(cell).strip("\n") + "\n", store_history=True)
        self.stdout, self.stderr, self.outputs = captured.stdout, captured.stderr, captured.outputs
        self.error = result.error_before_exec or result.error_in_exec
        return self

    @property
    def text(self) -> str:
        """All outputs as a front end without HTML shows them."""
        return "\n".join(output.data.get("text/plain", "") for output in self.outputs)

    def __getitem__(self, name: str) -> Any:
        return self.shell.user_ns[name]


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    with server() as started:
        yield started


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of one megabyte."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", disk], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip("only root can mount a small disk")
    yield disk
    while disk.is_mount():  # what a test has mounted over it too
        subprocess.run(["umount", "--lazy", disk], check=True)


@pytest.fixture(scope="session")
def ipython() -> InteractiveShell:
    shell = InteractiveShell.instance(colors="nocolor")
    shell.run_line_magic("load_ext", "jupyter_mltrain")
    return shell


@pytest.fixture
def notebook(ipython: InteractiveShell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Notebook]:
    monkeypatch.chdir(tmp_path)
    ipython.run_line_magic("config", f"MLTrain.home = {str(tmp_path / 'home')!r}")
    gc.freeze()  # IPython collects garbage at each reset: half a second, were TensorFlow's own objects looked at again
    yield Notebook(ipython, tmp_path / "home")
    ipython.reset(new_session=False)
    ipython.user_module.__spec__ = None  # the shell's namespace is `__main__` now, and multiprocessing asks for this
