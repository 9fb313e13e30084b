from __future__ import annotations

from pathlib import Path

import pytest

from jupyter_mltrain.domain.errors import OptionError
from jupyter_mltrain.services.session import Session

URL = "postgresql://ada:secret@db.example.org/team"


def test_the_files_of_a_shared_database_lie_in_a_folder_of_their_own(tmp_path: Path) -> None:
    session = Session(str(tmp_path), URL)
    assert (session.home, str(session.address)) == (tmp_path / "postgresql-team", "postgresql://ada@db.example.org/team")
    session.address = ""
    assert (session.home, session.address) == (tmp_path, None)
    assert list(tmp_path.iterdir()) == []


def test_another_session_of_a_home_stays_there(tmp_path: Path) -> None:
    session = Session(str(tmp_path), URL)
    other = session.again()
    session.home, session.address = tmp_path / "elsewhere", "postgresql://db/other"
    assert (other.home, other.url) == (tmp_path / "postgresql-team", URL)
    assert session.home == tmp_path / "elsewhere" / "postgresql-other"


def test_a_wrong_url_is_an_error_where_it_is_used(tmp_path: Path) -> None:
    session = Session(str(tmp_path), "mysql://db/team")
    with pytest.raises(OptionError, match="expected a store like postgresql"):
        _ = session.store
    session.address = ""
    assert session.store.home == tmp_path
    session.close()
