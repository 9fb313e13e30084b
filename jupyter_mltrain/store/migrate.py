"""Bring a database to the newest schema, through steps that are only ever added."""

from __future__ import annotations

from sqlalchemy import Connection, String, column, inspect, select, table

from jupyter_mltrain.domain.errors import StoreError
from jupyter_mltrain.store.database import Database

NEWEST = "0005"  # revision of the last step in `migrations/versions`; revisions sort as text


def upgrade(database: Database) -> None:
    """Make or upgrade the tables; several processes may do so at once.

    Raises:
        StoreError: the database belongs to a newer version of this package, or to something else.
    """
    with database.read() as connection:
        revision = _revision(connection)
    if revision == NEWEST:
        return
    if revision > NEWEST:
        raise StoreError(
            f"expected {database.place} to have schema {NEWEST} or older, received schema {revision}, of a newer "
            "jupyter_mltrain: update this one with pip install --upgrade jupyter_mltrain, or choose another home"
        )
    _run_steps(database)


def _revision(connection: Connection) -> str:
    tables = inspect(connection).get_table_names()
    steps = table("alembic_version", column("version_num", String))
    revision = connection.execute(select(steps.c.version_num)).scalar() if steps.name in tables else None
    if revision is None and tables:
        raise StoreError(
            f"expected a database of jupyter_mltrain, received one that holds {', '.join(tables[:3])}: choose another home"
        )
    return revision or ""


def _run_steps(database: Database) -> None:
    from alembic import command  # 60 ms that are needed once a home
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "jupyter_mltrain.store:migrations")
    with database.write() as connection:  # the second of two processes waits here, and finds nothing left to do
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
