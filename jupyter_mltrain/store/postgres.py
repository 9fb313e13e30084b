"""Everything that is true of PostgreSQL only: how a connection behaves, and how one process at a time writes.

A block that writes takes one lock for the whole database, as SQLite's do, so that what it has read stays true until it
has written; a run writes once a second, in a millisecond or two. A block that reads waits for nobody.
"""

from __future__ import annotations

import os
import weakref
from functools import partial
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event

from jupyter_mltrain.domain.address import StoreAddress
from jupyter_mltrain.domain.errors import MissingExtraError
from jupyter_mltrain.store import codec
from jupyter_mltrain.store.database import Database

_LOCK = 0x6D6C747261696E  # "mltrain": a number that no other program takes for its own lock
_BEGIN_WRITING = (
    "SET LOCAL TIME ZONE 'UTC'; "
    "SET LOCAL lock_timeout = '30s'; SET LOCAL idle_in_transaction_session_timeout = '60s'; "  # of one that hangs
    f"SELECT pg_advisory_xact_lock({_LOCK})"
)
_REACHABLE = {  # seconds, and for the last milliseconds, after which a silent server or network is an error
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 2,
    "tcp_user_timeout": 15_000,
}


def open_database(address: StoreAddress) -> Database:
    """Return the database at an address, which must exist; it is first connected to when it is used.

    Raises:
        MissingExtraError: the driver is not installed.
    """
    _check_driver()
    engine = create_engine(
        "postgresql+psycopg://",
        pool_size=1,  # kept open in each process; threads that need more at a moment get more
        max_overflow=-1,
        pool_pre_ping=True,  # a connection that broke meanwhile is replaced
        json_serializer=codec.dumps,
        json_deserializer=codec.loads,
    )
    event.listen(engine, "do_connect", partial(_choose, address))
    event.listen(engine, "begin", _begin)
    _forget_in_children(engine)
    return Database(str(address), engine, isolation_level="REPEATABLE READ")


def _check_driver() -> None:
    try:
        import psycopg  # noqa: F401 - SQLAlchemy's own message names no way to install it
    except ImportError as error:
        raise MissingExtraError(
            'expected psycopg for a store on PostgreSQL, it is not installed: pip install "jupyter-mltrain[postgres]"'
        ) from error


def _choose(address: StoreAddress, _dialect: Any, _record: Any, arguments: list[Any], options: dict[str, Any]) -> None:
    """Hand on the URL to libpq as it is, which knows more of them than SQLAlchemy does."""
    arguments[:] = [address.url]
    options.update(_REACHABLE, prepare_threshold=None)  # poolers know no prepared statements


def _begin(connection: Connection) -> None:
    if connection.get_execution_options().get("writes", False):
        connection.exec_driver_sql(_BEGIN_WRITING)


def _forget_in_children(engine: Engine) -> None:
    """Let forked processes make connections of their own, and leave their parent's alone."""
    known = weakref.ref(engine)

    def forget() -> None:
        engine = known()
        if engine is not None:
            engine.dispose(close=False)

    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=forget)


def findings(database: Database) -> tuple[str, ...]:
    """Tell in plain sentences which server it is, and how it keeps what it was given."""
    with database.read() as connection:
        version, synchronous, fsync, others = connection.exec_driver_sql(
            "SELECT current_setting('server_version'), current_setting('synchronous_commit'), current_setting('fsync'), "
            "(SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()) - 1"
        ).one()
    is_durable = fsync == "on" and synchronous != "off"
    return (
        f"Store: {database.place}, PostgreSQL {version.partition(' ')[0]}, {others} other connections.",
        "Durability: a finished run survives a loss of power."
        if is_durable
        else f"Durability: synchronous_commit is {synchronous} and fsync {fsync}: a loss of power may lose the last runs.",
    )
