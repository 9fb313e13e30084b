"""What an estimate looks like."""

from __future__ import annotations

from dataclasses import replace

from jupyter_mltrain.domain.estimate import Estimate
from jupyter_mltrain.widgets.estimate_view import EstimateView

ESTIMATE = Estimate(
    model="digits",
    num_trainable=4_000_000,
    num_frozen=1_000_000,
    batch_size=32,
    num_steps=625,
    epochs=20,
    weights=20_000_000,
    gradients=16_000_000,
    optimizer=32_000_000,
    best_weights=20_000_000,
    activations=1_500_000_000,
    data=0,
    memory_free=12_300_000_000,
    plan="epoch-xla",
    reason="Compiled epoch (XLA): 0.04 ms a step, 9.6 times the loop's speed.",
    step_seconds=0.04e-3,
    epoch_seconds=4.2,
    notices=("The line overrides epochs: 20, in the cell 3.", "<b>"),
)


def test_text():
    assert EstimateView(ESTIMATE).text() == (
        "digits: 5,000,000 parameters, 4,000,000 of them trained\n"
        "  memory          bytes\n"
        "  weights       20.0 MB\n"
        "  gradients     16.0 MB\n"
        "  optimizer     32.0 MB\n"
        "  best weights  20.0 MB\n"
        "  activations   1.50 GB\n"
        "  data              0 B\n"
        "  in all        1.59 GB\n"
        "  free for it   12.3 GB\n"
        "625 steps of 32 rows an epoch, 20 epochs.\n"
        "Plan epoch-xla. Compiled epoch (XLA): 0.04 ms a step, 9.6 times the loop's speed.\n"
        "About 4.2 s an epoch, 1 min 24 s in all, without what compiling takes.\n"
        "The line overrides epochs: 20, in the cell 3.\n"
        "<b>"
    )


def test_what_is_not_known():
    unknown = replace(
        ESTIMATE,
        num_frozen=0,
        batch_size=None,
        num_steps=None,
        epochs=1,
        activations=None,
        plan="keras",
        reason="Plan keras: it is so.",
        step_seconds=None,
        epoch_seconds=None,
        notices=(),
    )
    text = EstimateView(unknown).text()
    assert text.startswith("digits: 4,000,000 parameters, all of them trained\n")
    assert "  activations   unknown\n" in text
    assert "  in all        88.0 MB\n" in text
    assert text.endswith("Steps an epoch are not known before the data are read, 1 epoch.\nPlan keras: it is so.")


def test_html_holds_the_same_escaped():
    html = EstimateView(ESTIMATE).html()
    assert '<tr><th scope="row">activations</th><td>1.50 GB</tr>' in html
    assert "<strong>digits</strong>" in html
    assert "&lt;b&gt;" in html
    assert "<b>" not in html


def test_whether_it_fits():
    assert ESTIMATE.fits
    assert not replace(ESTIMATE, memory_free=ESTIMATE.memory - 1).fits
