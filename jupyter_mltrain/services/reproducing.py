"""Reproduce: write what does a run again, do it in a new process, and compare."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from jupyter_mltrain.domain.errors import OptionError, ReproductionError
from jupyter_mltrain.domain.files import partial_path, sha256_of
from jupyter_mltrain.domain.origin import Origin
from jupyter_mltrain.domain.reproduction import Agreement, Reproduction, compare
from jupyter_mltrain.domain.run import Run, RunFilter
from jupyter_mltrain.services.forking import copy_parent
from jupyter_mltrain.services.reproduction_line import check_can_be_repeated, line_of, name_of
from jupyter_mltrain.services.reproduction_text import PARENT, Place, notebook_of, requirements_of, script_of
from jupyter_mltrain.services.runs import get_run
from jupyter_mltrain.services.session import Session

_MOST_CALLS = 1000  # of a cell
_RANDOM = "random.npz"  # as the engine names it


def reproduce(session: Session, ref: str | None = None, *, to: str | None = None, runs: bool = False) -> Reproduction:
    """Write a script and a notebook that do a run again, whole or not at all.

    Args:
        session: where the run is recorded.
        ref: names it; the newest of all where it is None.
        to: the folder to write; beside the notebook, `digits-2-reproduce`, if nothing says otherwise.
        runs: whether to do it again at once, in a process and a home of its own, and to compare.

    Raises:
        UnknownNameError: there is no such run.
        OptionError: it cannot be done again by a script; or there is something else in the folder.
        ReproductionError: the script ends before its training does.
    """
    run = _known(session, get_run(session, ref))
    origin = _origin_of(session, run)
    written = _written(session, run, origin, Path(to).expanduser() if to else None)
    return replace(written, agreement=_agreement(written)) if runs else written


def restore_random_numbers(file: Path) -> None:
    """Let all random generators go on from where they were when a run began.

    Raises:
        OptionError: the file is not one that `reproduce` wrote.
    """
    from jupyter_mltrain.engine.random_file import restore

    restore(file)


def _origin_of(session: Session, run: Run) -> Origin:
    from jupyter_mltrain.store.origin_file import read_origin
    from jupyter_mltrain.store.run_channel import RunChannel

    session.store.artifacts.bring_run(run)
    origin = read_origin(run.folder)
    check_can_be_repeated(run, origin, is_own_process=RunChannel(run.folder).exists)
    if origin is None:
        raise OptionError(
            f"expected a run that was recorded with the cells before it, received {run.ref}, which has none: "
            "train its cell once more, and reproduce that run"
        )
    return origin


def _known(session: Session, run: Run) -> Run:
    """Return a run with what is recorded of its search, if it is a trial."""
    if run.trial is None:
        return run
    search = session.store.searches.get(run.trial.search)
    options = {**run.options, "monitor": search.facts["objectives"][0]}
    return replace(run, options=options, facts={"environment": search.facts["environment"], **run.facts})


def _written(session: Session, run: Run, origin: Origin, to: Path | None) -> Reproduction:
    name = name_of(run)
    base = Path(origin.folder) if Path(origin.folder).is_dir() else Path.cwd()
    folder = (to or base / f"{name}-reproduce").absolute()
    random = run.folder / _RANDOM
    has_random = random.exists() and not origin.call  # what a cell draws before its call is drawn from another state
    place = Place(name=name, up=os.path.relpath(base, folder), random=_RANDOM if has_random else None)
    contents = {
        f"{name}.py": script_of(run, origin, place).encode(),
        f"{name}.ipynb": notebook_of(run, origin, place).encode(),
        "requirements.txt": requirements_of(run).encode(),
    }
    try:
        if not _is_written(folder, f"{name}.py", contents[f"{name}.py"]):
            with _new(folder) as partial:
                _fill(partial, contents | ({_RANDOM: random.read_bytes()} if has_random else {}))
                if run.parent:
                    copy_parent(session, run.parent, partial / PARENT)
    except OSError as error:
        raise OptionError(
            f"expected --to with a folder that can be written, received {folder}: {error}; choose another"
        ) from error
    return Reproduction(
        run=run, origin=origin, line=line_of(run), script=folder / f"{name}.py", notebook=folder / f"{name}.ipynb"
    )


def _fill(folder: Path, contents: Mapping[str, bytes]) -> None:
    for name, content in contents.items():
        (folder / name).write_bytes(content)


def _is_written(folder: Path, script: str, content: bytes) -> bool:
    """Tell whether a folder holds a script already.

    Raises:
        OptionError: it is there, and holds something else.
    """
    if not folder.exists():
        return False
    if (folder / script).is_file() and (folder / script).read_bytes() == content:
        return True
    raise OptionError(f"expected --to with a new folder, received {folder}, which is there: remove it, or choose another")


@contextmanager
def _new(folder: Path) -> Iterator[Path]:
    """Give a folder that becomes `folder` when the block ends well."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = partial_path(folder)
    try:
        partial.mkdir()
        yield partial
        partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _agreement(written: Reproduction) -> Agreement:
    """Do a run again in a new process, recorded in a home that is gone afterwards, and compare."""
    from jupyter_mltrain.engine.fresh_process import run_script

    with tempfile.TemporaryDirectory(prefix="mltrain-", ignore_cleanup_errors=True) as home:
        trouble = run_script(written.script, Path(home))
        again = _done_again(home, written.origin)
    if again is None or (trouble and again.status is not written.run.status):
        unknown = ", ".join(written.origin.unknown)
        next_step = f"give {unknown} their values there" if unknown else "mend there what they say"
        raise ReproductionError(
            f"expected {written.script} to train to its end, received these last lines:\n{trouble}\n{next_step}, and run it"
        )
    return compare(written.run, again, _changed_modules(written.origin))


def _done_again(home: str, origin: Origin) -> Run | None:
    """Return the newest run of a home; of a run that a call made the one of the same call in its cell."""
    from jupyter_mltrain.store.origin_file import read_origin

    session = Session(home)
    session.url = session.artifacts_url = ""  # whatever is set: the new process has recorded in that home alone
    try:
        for run in session.store.runs.list(RunFilter(limit=1 + _MOST_CALLS * bool(origin.call))):
            found = read_origin(run.folder) if origin.call else origin
            if found and (found.call.strip(), found.number) == (origin.call.strip(), origin.number):
                return session.store.runs.get(run.id)
        return None
    finally:
        session.close()


def _changed_modules(origin: Origin) -> tuple[str, ...]:
    def now(file: Path) -> str:
        return sha256_of(file) if file.is_file() else ""

    return tuple(name for name, before in origin.modules.items() if now(Path(origin.folder) / name) != before)
