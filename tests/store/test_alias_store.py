from __future__ import annotations

from alias_contract import AliasStoreContract, three

__all__ = ["three"]


class TestAliasStore(AliasStoreContract):
    """With SQLite."""
