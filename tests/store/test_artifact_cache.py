"""Homes of two machines that have a folder of artifacts in common; what is in it is whole, whatever breaks."""

from __future__ import annotations

import itertools
import json
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from fsspec.implementations.local import LocalFileSystem

from jupyter_mltrain.domain.address import ArtifactAddress
from jupyter_mltrain.domain.errors import MissingExtraError, OptionError, StoreAwayError, StoreError
from jupyter_mltrain.domain.model import ModelVersion, Signature
from jupyter_mltrain.domain.run import Run, RunStatus
from jupyter_mltrain.services.untracked import untracked_run
from jupyter_mltrain.store import uploader
from jupyter_mltrain.store.artifact_cache import ArtifactCache
from jupyter_mltrain.store.artifact_folder import ArtifactFolder, sha256_of
from jupyter_mltrain.store.processes import this_process
from jupyter_mltrain.store.uploader import Uploader

FILES = {"best.keras": b"best" * 1000, "tensorboard/train/events.1": b"", "checkpoints/0001-end.ckpt": b"state"}


class Machine:
    """A home, the runs that have ended, and what the shared folder has to do with it."""

    def __init__(self, home: Path, shared: Path) -> None:
        self.home, self.ended = home, set[str]()
        for part in ("runs", "models"):
            (home / part).mkdir(parents=True)
        self.cache = ArtifactCache(home, ArtifactAddress(f"file://{shared}"), self.ended.intersection)

    def run(self, run_id: str = "abc") -> Run:
        about: dict[str, Any] = {
            "name": "digits",
            "user": "ada",
            "tags": {},
            "note": "",
            "source": "",
            "options": {},
            "facts": {},
        }
        run = untracked_run(self.home / "runs" / run_id, process=this_process(), **about)
        return replace(run, id=run_id, number=2, status=RunStatus.STOPPED)

    def train(self, files: dict[str, bytes] = FILES, run_id: str = "abc") -> Run:
        run = self.run(run_id)
        for name, content in files.items():
            (run.folder / name).parent.mkdir(parents=True, exist_ok=True)
            (run.folder / name).write_bytes(content)
        self.cache.has_changed(run)
        self.ended.add(run_id)
        return run

    def files(self, run: Run) -> dict[str, bytes]:
        found = (path for path in run.folder.rglob("*") if path.is_file())
        return {path.relative_to(run.folder).as_posix(): path.read_bytes() for path in found}

    def has_nothing(self) -> bool:
        return not any((self.home / "runs").iterdir())


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    folder = tmp_path / "shared"
    folder.mkdir()
    return folder


@pytest.fixture
def one(tmp_path: Path, shared: Path) -> Machine:
    return Machine(tmp_path / "one", shared)


@pytest.fixture
def other(tmp_path: Path, shared: Path) -> Machine:
    return Machine(tmp_path / "other", shared)


def test_what_has_ended_is_uploaded_and_brought_to_another_home_as_it_is(one: Machine, other: Machine) -> None:
    one.train()
    (one.run().folder / "parcel").mkdir()
    (one.run().folder / "parcel" / "task").write_bytes(b"for nobody else")
    one.run("running").folder.mkdir()
    assert one.cache.pending() == ["runs/abc"]
    one.cache.upload()
    assert one.cache.pending() == []
    other.cache.bring_run(other.run())
    assert other.files(other.run()) == FILES
    assert other.cache.pending() == []
    with pytest.raises(
        StoreError, match=r"expected the files of digits#2 in file://.*shared, received none: .* when its home is"
    ):
        other.cache.bring_run(other.run("running"))


def test_the_newer_files_take_the_place_of_the_older_ones_in_both_directions(one: Machine, other: Machine, shared: Path) -> None:
    one.train()
    one.cache.upload()
    other.cache.bring_run(other.run())
    other.train({"best.keras": b"better"})
    (other.run().folder / "checkpoints" / "0001-end.ckpt").unlink()
    before = {path: path.stat().st_mtime_ns for path in shared.rglob("events.1")}
    one.cache.bring_run(one.run())
    assert one.files(one.run()) == FILES  # nothing is new by now
    other.cache.upload()
    assert {path: path.stat().st_mtime_ns for path in shared.rglob("events.1")} == before
    one.cache.bring_run(one.run())
    assert one.files(one.run()) == {"best.keras": b"better", "tensorboard/train/events.1": b""}
    assert sorted(path.name for path in shared.rglob("*") if path.is_file()) == ["best.keras", "events.1", "manifest.json"]
    one.train({"last.keras": b"newer here"})
    one.cache.bring_run(one.run())
    assert one.files(one.run())["last.keras"] == b"newer here"
    one.cache.forget([one.run()])
    assert [path for path in shared.rglob("*") if path.is_file()] == []


def test_a_version_is_found_by_its_content(one: Machine, other: Machine, tmp_path: Path) -> None:
    def version(machine: Machine, content: bytes) -> ModelVersion:
        (tmp_path / "content").write_bytes(content)
        path = machine.home / "models" / "net" / "1.keras"
        about = {"signature": Signature(inputs=(), outputs=()), "num_params": 1, "metrics": {}, "run_id": "", "run_ref": ""}
        known = {"name": "net", "version": 1, "size": 1, "user": "ada", "created_at": datetime.now(UTC)}
        return ModelVersion(path=path, sha256=sha256_of(tmp_path / "content"), **about, **known)  # type: ignore[arg-type]

    for machine, content in ((one, b"mine"), (other, b"of another database")):
        path = version(machine, content).path
        path.parent.mkdir()
        path.write_bytes(content)
        machine.cache.upload()
        path.unlink()
    one.cache.bring_version(version(one, b"mine"))
    assert version(one, b"mine").path.read_bytes() == b"mine"
    with pytest.raises(StoreError, match=r"the file is not in file://.* either"):
        other.cache.bring_version(version(other, b"never uploaded"))
    assert one.cache.pending() == []


def cut(monkeypatch: pytest.MonkeyPatch, name: str, number: int, target: int) -> None:
    """Let the calls of a file system's function break from one on, with half of a file left at the argument `target`."""
    do, calls = getattr(LocalFileSystem, name), itertools.count()

    def broken(files: Any, *arguments: Any, **named: Any) -> Any:
        if next(calls) >= number:
            Path(arguments[target]).write_bytes(b"ha")
            raise ConnectionError("cut")
        return do(files, *arguments, **named)

    monkeypatch.setattr(LocalFileSystem, name, broken)


def test_whatever_an_upload_breaks_at_the_old_or_the_new_is_there(one: Machine, other: Machine) -> None:
    newer = {**FILES, "best.keras": b"newer", "last.keras": b"more"}
    one.train()
    one.cache.upload()
    one.train(newer)
    said: list[str] = []
    for name, target in (("put_file", 1), ("pipe_file", 0), ("mv", 1)):
        for number in range(3):
            one.cache.has_changed(one.run())
            with pytest.MonkeyPatch.context() as patch:
                cut(patch, name, number, target)
                try:
                    one.cache.upload()
                except StoreAwayError as error:
                    said.append(str(error))
            other.cache.bring_run(other.run())
            assert other.files(other.run()) in (FILES, newer)
    one.cache.upload()
    other.cache.bring_run(other.run())
    assert other.files(other.run()) == newer
    assert len(said) >= 4
    assert all("received 'cut': check that it is there" in text for text in said)


def test_a_damaged_file_and_a_manifest_that_leads_elsewhere_are_refused(one: Machine, other: Machine, shared: Path) -> None:
    one.train()
    one.cache.upload()
    (stored,) = shared.rglob("best.keras")
    stored.write_bytes(b"B" + stored.read_bytes()[1:])
    with pytest.raises(StoreError, match=r"expected best.keras of runs/abc in file://.* as it was uploaded \(SHA-256 .*damaged"):
        other.cache.bring_run(other.run())
    for content in ({"../../escaped": "0"}, {"/tmp/escaped": "0"}, ["best.keras"]):
        (shared / "runs" / "abc" / "manifest.json").write_text(json.dumps(content))
        with pytest.raises(StoreError, match="expected a manifest of files in their folder"):
            other.cache.bring_run(other.run())
    assert other.has_nothing()


def test_what_cannot_be_uploaded_is_said_and_made_up_later(
    one: Machine, other: Machine, shared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one.train()
    one.cache.upload()
    one.train(run_id="later")
    kept = shared.rename(shared.with_name("away"))
    monkeypatch.setattr(uploader, "_SECONDS_BETWEEN_TRIES", 0.01)
    uploads = Uploader(one.cache)
    assert "received 'there is no such folder': check that it is there" in uploads.finish(60)
    one.cache.bring_run(one.run())  # what is here does
    with pytest.raises(StoreAwayError, match="there is no such folder"):
        other.cache.bring_run(other.run())
    kept.rename(shared)
    assert uploads.finish(60) == ""
    other.cache.bring_run(other.run("later"))
    assert other.files(other.run("later")) == FILES
    uploads.close()


def test_packages_that_are_missing_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "s3fs", None)
    with pytest.raises(MissingExtraError, match=r"expected the package for s3://key@bucket, it is not installed \(Install s3fs"):
        ArtifactFolder(ArtifactAddress("s3://key:secret@bucket")).manifest("runs/abc")
    monkeypatch.setitem(sys.modules, "fsspec", None)
    with pytest.raises(MissingExtraError, match=r'pip install "jupyter-mltrain\[artifacts\]"'):
        ArtifactFolder(ArtifactAddress("file:///tmp")).manifest("runs/abc")


def test_an_address_shows_no_password() -> None:
    address = ArtifactAddress("sftp://ada:secret@files.example.org/team/?key=secret")
    assert (str(address), repr(address)) == (
        "sftp://ada@files.example.org/team",
        "ArtifactAddress('sftp://ada@files.example.org/team')",
    )
    assert address.hidden(f"cannot open {address.url}") == "cannot open sftp://ada:…@files.example.org/team/?key=…"
    assert str(ArtifactAddress("file:///mnt/team/")) == "file:///mnt/team"
    for url in ("/mnt/team", "s3://", "http://[1", "memory://team"):
        with pytest.raises(OptionError, match="expected artifacts"):
            ArtifactAddress(url)
