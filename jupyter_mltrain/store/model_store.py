"""The registered models of one home: their records in the database, their files in `models/<name>/<version>.keras`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, select

from jupyter_mltrain.domain.errors import ModelFileError, OptionError, StoreError
from jupyter_mltrain.domain.files import settle, sha256_of
from jupyter_mltrain.domain.model import Archival, ModelVersion, Signature, TensorSpec
from jupyter_mltrain.domain.run import Run
from jupyter_mltrain.domain.spec import check_name
from jupyter_mltrain.store.artifact_cache import ArtifactCache
from jupyter_mltrain.store.clock import now
from jupyter_mltrain.store.codec import as_mapping
from jupyter_mltrain.store.copied_files import copied
from jupyter_mltrain.store.database import Database, count_up
from jupyter_mltrain.store.model_refs import (
    aliases,
    aliases_of,
    all_of,
    check_model,
    model_names,
    newest_of_each,
    unknown_model,
    version_named,
)
from jupyter_mltrain.store.record_files import keep
from jupyter_mltrain.store.schema import archived_versions as archived
from jupyter_mltrain.store.schema import model_versions as versions


class ModelStore:
    """Numbered, checksummed versions of models; a version never changes.

    Threads and processes may use it at once. A version exists with its whole file, or not at all: a process that dies
    while it registers leaves at most a file without a record, which is not a version.

    Every method raises `StoreError` if the home cannot be read or written.
    """

    def __init__(self, database: Database, folder: Path, artifacts: ArtifactCache) -> None:
        """Keep records in `database` and files in `folder`, which must exist and is a part of what `artifacts` holds."""
        self._database = database
        self._folder = folder
        self._artifacts = artifacts

    def register(
        self,
        name: str,
        *,
        file: Path,
        signature: Signature,
        num_params: int,
        metrics: Mapping[str, float],
        run: Run,
        user: str,
    ) -> ModelVersion:
        """Copy `file` into the registry under the next version of `name`.

        Raises:
            OptionError: `name` cannot name a model, or is another model's in other capitals.
        """
        check_name(name, "model")
        with copied(file, self._folder / name) as copy, self._database.write() as connection:
            check_capitals(connection, name)
            version = count_up(connection, "model", name)
            target = self._folder / name / f"{version}{suffix_of(file)}"
            settle(copy.path, target)  # may replace what a process left that died just here: no record names it
            record = {
                "name": name,
                "version": version,
                "file": target.name,
                "sha256": copy.sha256,
                "size": copy.size,
                "signature": _signature_row(signature),
                "num_params": num_params,
                "metrics": metrics,
                "run_id": run.id,
                "run_ref": run.ref,
                "user": user,
                "created_at": now(),
            }
            connection.execute(insert(versions), record)
            keep(connection, self._folder / name, lasting=True)
        return self.get(f"{name}@{version}")

    def get(self, ref: str) -> ModelVersion:
        """Return one version.

        Args:
            ref: `"digits@3"`, `"digits@champion"` by an alias, or `"digits"` for the newest version that is not archived.

        Raises:
            UnknownNameError: there is no such version; near misses are suggested.
        """
        with self._database.read() as connection:
            row = version_named(connection, ref)
            return self._version(row, aliases_of(connection, row.name))

    def list(self, name: str | None = None) -> tuple[ModelVersion, ...]:
        """Return the newest version in use of every model, or all versions of the model `name`; the newest first.

        Raises:
            UnknownNameError: there is no model of that name; near misses are suggested.
        """
        with self._database.read() as connection:
            found = connection.execute(newest_of_each() if name is None else all_of(name)).all()
            if name is not None and not found:
                raise unknown_model(connection, name)
            standing = aliases(connection) if name is None else {name: aliases_of(connection, name)}
            return tuple(self._version(row, standing.get(row.name, {})) for row in found)

    def names(self) -> tuple[str, ...]:
        """Return the name of every model, sorted."""
        with self._database.read() as connection:
            return model_names(connection)

    def archive(self, name: str, version: int, *, reason: str, user: str) -> ModelVersion:
        """Leave a version out of lists and let it get no alias; its file stays, and it loads by its number.

        Raises:
            OptionError: an alias stands for it.
            UnknownNameError: there is no such version; near misses are suggested.
        """
        with self._database.write() as connection:
            check_model(connection, name, lock=True)
            row = version_named(connection, f"{name}@{version}")
            held = [alias for alias, number in aliases_of(connection, name).items() if number == version]
            if held:
                raise OptionError(
                    f"expected a version that no alias stands for, received {name}@{version}, which is "
                    f"{', '.join(held)}: move that first, with %models promote or rollback"
                )
            if row.archived_at is None:
                record = {"name": name, "version": version, "archived_at": now(), "user": user, "reason": reason}
                connection.execute(insert(archived), record)
                keep(connection, self._folder / name, lasting=True)
        return self.get(f"{name}@{version}")

    def unarchive(self, name: str, version: int) -> ModelVersion:
        """Take a version into use again; one that is in use stays so.

        Raises:
            UnknownNameError: there is no such version; near misses are suggested.
        """
        with self._database.write() as connection:
            version_named(connection, f"{name}@{version}")
            connection.execute(delete(archived).where(archived.c.name == name, archived.c.version == version))
            keep(connection, self._folder / name, lasting=True)
        return self.get(f"{name}@{version}")

    def verify(self, version: ModelVersion) -> Path:
        """Return the file of a version, which is brought here if it is missing, after comparing its checksum.

        Raises:
            ModelFileError: the file is missing, or not what was registered.
        """
        again = "register the model again, or put a copy of the file in its place"
        try:
            self._artifacts.bring_version(version)
            sha256 = sha256_of(version.path)
        except (OSError, StoreError) as error:
            raise ModelFileError(f"expected the file of {version.ref} at {version.path}, received {error}: {again}") from error
        if sha256 != version.sha256:
            raise ModelFileError(
                f"expected {version.path} as it was registered (SHA-256 {version.sha256[:12]}…), received a changed or "
                f"damaged file ({sha256[:12]}…): {again}"
            )
        return version.path

    def _version(self, row: Row[Any], standing: Mapping[str, int]) -> ModelVersion:
        return ModelVersion(
            name=row.name,
            version=row.version,
            path=self._folder / row.name / row.file,
            sha256=row.sha256,
            size=row.size,
            signature=_signature_from(row.signature),
            num_params=row.num_params,
            metrics=row.metrics,
            run_id=row.run_id,
            run_ref=row.run_ref,
            user=row.user,
            created_at=row.created_at,
            aliases=tuple(alias for alias, version in standing.items() if version == row.version),
            archived=_archival(row),
        )


def _archival(row: Row[Any]) -> Archival | None:
    if row.archived_at is None:
        return None
    return Archival(at=row.archived_at, user=row.archived_by, reason=row.archived_because)


def suffix_of(file: Path) -> str:
    """Return the end of a file's name that tells its format."""
    return ".weights.h5" if file.name.endswith(".weights.h5") else file.suffix


def check_capitals(connection: Connection, name: str) -> None:
    """Raise `OptionError` if a name is another model's in other capitals."""
    same = func.lower(versions.c.name) == name.lower()
    other = connection.execute(select(versions.c.name).where(same, versions.c.name != name)).scalar()
    if other:  # where files are found in any capitals, one model would replace the other's files
        raise OptionError(
            f"expected a model name that differs by more than capitals from {other}, received {name}: choose another"
        )


def _signature_row(signature: Signature) -> dict[str, Any]:
    return {
        "inputs": [as_mapping(spec) for spec in signature.inputs],
        "outputs": [as_mapping(spec) for spec in signature.outputs],
    }


def _signature_from(row: Mapping[str, Any]) -> Signature:
    inputs, outputs = (
        tuple(TensorSpec(name=spec["name"], shape=tuple(spec["shape"]), dtype=spec["dtype"]) for spec in row[side])
        for side in ("inputs", "outputs")
    )
    return Signature(inputs=inputs, outputs=outputs)
