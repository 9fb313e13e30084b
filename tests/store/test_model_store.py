from __future__ import annotations

from store_contract import ModelStoreContract


class TestModelStore(ModelStoreContract):
    """With SQLite."""
