"""Runs as the store gives them, to be shown."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from jupyter_mltrain.domain.run import Epoch, Process, Run, RunStatus, TrainingResult

SOURCE = """%%train digits --epochs 4 --register digits
model = build(units=32)
model.fit(x_train, y_train, validation_data=(x_val, y_val))
"""

FACTS: dict[str, Any] = {
    "seed": 7,
    "deterministic": False,
    "model": {"name": "sequential", "class": "Sequential", "num_params": 12810, "summary": 'Model: "sequential"\n dense 12,810'},
    "data": {"x": {"kind": "array", "shape": [1437, 8, 8], "dtype": "float32", "content": "xxh3:9f86d081"}},
    "environment": {"python": "3.11.7", "packages": {"keras": "3.15.1"}, "git": {"commit": "0a1b2c3", "dirty": True}},
    "said": ["--epochs 4 overrides epochs=2 in the cell."],
}


def make_epochs(num: int, *names: str) -> tuple[Epoch, ...]:
    """Return epochs whose metrics all fall like 1/n, validation a little above."""
    return tuple(
        Epoch(
            number=n,
            phase=1,
            metrics={key: value for name in names for key, value in ((name, 1 / n), (f"val_{name}", 1 / n + 0.1))},
            seconds=0.25,
        )
        for n in range(1, num + 1)
    )


def make_result(**changes: Any) -> TrainingResult:
    """Return the result of four epochs, the third the best."""
    result = TrainingResult(
        model_id="digits@3",
        epochs=4,
        train_loss=0.01,
        val_loss=0.09,
        train_metrics={"accuracy": 0.999},
        val_metrics={"accuracy": 0.97},
        monitor="val_loss",
        best_epoch=3,
        best_score=0.08123,
        best_metrics={"accuracy": 0.99812, "loss": 0.012345, "val_accuracy": 0.978, "val_loss": 0.08123},
        duration=4.21,
        hyperparams={"epochs": 4, "batch_size": 32, "learning_rate": 0.001},
        strategy="cpu",
        precision="float32",
        plan="keras",
        reason="CPU: this machine has no GPU.",
    )
    return replace(result, **changes)


def make_run(**changes: Any) -> Run:
    """Return a completed run of four epochs."""
    run = Run(
        id="01jzabc00003",
        name="digits",
        number=3,
        status=RunStatus.COMPLETED,
        source=SOURCE,
        started_at=datetime(2026, 3, 1, 14, 5, 9, tzinfo=UTC),
        ended_at=datetime(2026, 3, 1, 14, 5, 14, tzinfo=UTC),
        user="ada",
        process=Process(host="lovelace", pid=4711, started=0.0),
        options={"epochs": 4, "register": "digits"},
        tags={"stage": "draft", "baseline": ""},
        note="first try",
        facts=FACTS,
        result=make_result(),
        failure=None,
        epochs=make_epochs(4, "loss", "accuracy"),
        folder=Path("home") / "runs" / "01jzabc00003",
    )
    return replace(run, **changes)


def noisy_epochs(num: int, *names: str) -> tuple[Epoch, ...]:
    """Return epochs whose curves are as ragged as curves get: the hardest to compress."""
    return tuple(
        replace(epoch, metrics={name: value + 0.2 * math.sin(9e4 * value) for name, value in epoch.metrics.items()})
        for epoch in make_epochs(num, *names)
    )


class Page(HTMLParser):
    """HTML as a browser takes it: its elements, its text outside of scripts and styles, the rows of its tables."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.rows: list[list[str]] = []
        self.text = ""
        self.scripts: list[str] = []
        self._inside = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._inside = tag
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside == "script":
            self.scripts.append(data)
        elif self._inside != "style":
            self.text += data
            if self._inside in ("td", "th"):
                self.rows[-1][-1] += data
