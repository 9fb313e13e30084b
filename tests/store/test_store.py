from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from store_samples import begin, register, search_of, train

from jupyter_mltrain.domain.errors import StoreError
from jupyter_mltrain.domain.run import RunFilter
from jupyter_mltrain.store.store import Store


def test_a_new_home_is_made_and_hidden_from_git(tmp_path: Path) -> None:
    home = tmp_path / "deep" / "in ? 100% #1" / ".mltrain"
    Store(home).close()
    assert (home / ".gitignore").read_text() == "*\n"
    assert sorted(path.name for path in home.iterdir()) == [".gitignore", "mltrain.db", "models", "runs"]


def test_a_folder_of_the_users_own_gets_no_gitignore(home: Path) -> None:
    home.mkdir()
    Store(home).close()
    assert not (home / ".gitignore").exists()


def test_what_was_written_is_there_when_opened_again(home: Path) -> None:
    first = Store(home)
    run = train(first)
    version = register(first, run)
    first.close()
    again = Store(home)
    assert again.runs.get("digits") == run
    assert again.models.get("digits") == version


def test_a_home_can_be_moved(store: Store, tmp_path: Path) -> None:
    register(store, train(store))
    store.close()
    moved = Store(store.home.rename(tmp_path / "elsewhere"))
    version = moved.models.get("digits")
    assert moved.models.verify(version) == tmp_path / "elsewhere" / "models" / "digits" / "1.keras"
    assert moved.runs.get("digits").folder.is_dir()


def test_a_relative_home_stays_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    store = Store(Path("home"))
    monkeypatch.chdir("/")
    assert train(store).folder.parent == tmp_path / "home" / "runs"


def test_threads_share_a_store(store: Store) -> None:
    with ThreadPoolExecutor(8) as pool:
        numbers = sorted(pool.map(lambda _: begin(store).number, range(40)))
    assert numbers == list(range(1, 41))


def test_opening_a_home_that_is_up_to_date_needs_no_alembic(home: Path) -> None:
    Store(home).close()
    code = (
        "import sys, pathlib; from jupyter_mltrain.store.store import Store; Store(pathlib.Path(sys.argv[1])); "
        "print(sorted({'alembic', 'tensorflow', 'keras', 'numpy', 'pandas', 'IPython'} & set(sys.modules)))"
    )
    told = subprocess.run([sys.executable, "-c", code, home], capture_output=True, text=True, check=True)
    assert told.stdout == "[]\n"


@pytest.mark.parametrize("place", ["file", "file/in it", "/proc/mltrain"])
def test_a_home_that_cannot_be_made_is_an_error(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(StoreError, match=r"or choose another home with %config MLTrain\.home"):
        Store(tmp_path / place)
    assert (tmp_path / "file").read_text() == "mine"


def test_a_folder_in_place_of_the_database_is_an_error(home: Path) -> None:
    (home / "mltrain.db").mkdir(parents=True)
    with pytest.raises(StoreError, match=r"mltrain\.db, received 'unable to open database file'"):
        Store(home)


def test_findings_tell_how_the_home_is(store: Store) -> None:
    register(store, train(store))
    begin(store)
    search_of(store, 3)
    (store.home / "runs" / "01h2xcejqtf2").mkdir()
    (store.home / "runs" / "01h2xcejqtf2" / "best.keras").write_bytes(b"x" * 200_000)
    sentences = store.findings()
    assert sentences[0].startswith(f"Home: {store.home}, ")
    assert "Integrity: SQLite's quick check found nothing wrong." in sentences
    assert "Contents: runs: 2, searches: 1, trials: 3, models: 1, model versions: 1." in sentences
    assert sentences[-1] == (
        "Leftovers of processes that died: 1 of 0.2 MB, to be deleted when nothing is being trained: runs/01h2xcejqtf2."
    )


def test_findings_of_a_home_without_trouble_say_so(store: Store) -> None:
    assert store.findings()[-1] == "Leftovers: none."


def test_findings_tell_of_damage_and_the_next_ones_are_of_a_whole_home(store: Store) -> None:
    for _ in range(30):
        train(store, facts={"padding": "x" * 2000})
    path = store.home / "mltrain.db"
    content = bytearray(path.read_bytes())
    content[-4096:-4000] = b"\xff" * 96
    path.write_bytes(content)
    assert store.findings()[-1].startswith("Trouble: expected a whole database, received a damaged one. The database ")
    assert "Integrity: SQLite's quick check found nothing wrong." in store.findings()
    assert store.findings()[-1].startswith("Set aside: mltrain.db.damaged-")
    assert store.runs.count(RunFilter()) == 30
