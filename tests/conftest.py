"""One real IPython shell with the extension loaded, each test in a namespace and a home of its own."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output


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
def ipython() -> InteractiveShell:
    shell = InteractiveShell.instance(colors="nocolor")
    shell.run_line_magic("load_ext", "jupyter_mltrain")
    return shell


@pytest.fixture
def notebook(ipython: InteractiveShell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Notebook]:
    monkeypatch.chdir(tmp_path)
    ipython.run_line_magic("config", f"MLTrain.home = {str(tmp_path / 'home')!r}")
    yield Notebook(ipython, tmp_path / "home")
    ipython.reset(new_session=False)
    ipython.user_module.__spec__ = None  # the shell's namespace is `__main__` now, and multiprocessing asks for this
