"""All that a store promises, kept by PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from alias_contract import AliasStoreContract, three
from search_contract import SearchStoreContract
from store_contract import ModelStoreContract, RunStoreContract
from summary_contract import RunSummaryContract

from jupyter_mltrain.store.store import Store
from tests.postgres import Server, emptied

__all__ = ["three"]


@pytest.fixture(scope="module")
def opened(postgres: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    store = Store(tmp_path_factory.mktemp("team") / "home", postgres.new_database())
    yield store
    store.close()


@pytest.fixture
def store(opened: Store) -> Store:
    return emptied(opened)


class TestRunStore(RunStoreContract):
    """With PostgreSQL."""


class TestSearchStore(SearchStoreContract):
    """With PostgreSQL."""


class TestModelStore(ModelStoreContract):
    """With PostgreSQL."""


class TestAliasStore(AliasStoreContract):
    """With PostgreSQL."""


class TestRunSummaries(RunSummaryContract):
    """With PostgreSQL."""
