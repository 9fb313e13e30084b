"""How well a live view can be read: the least contrast of its texts and of its curves against what is behind them."""

from __future__ import annotations

CONTRASTS = """() => {
    const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
    const luminance = colours => {
        for (const colour of colours) {
            canvas.fillStyle = colour;
            canvas.fillRect(0, 0, 1, 1);
        }
        const parts = [...canvas.getImageData(0, 0, 1, 1).data].map(part => part / 255);
        const [red, green, blue] = parts.map(part => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
    };
    const grounds = [];
    for (let node = document.querySelector(".mlt"); node; node = node.parentElement) {
        grounds.unshift(getComputedStyle(node).backgroundColor);
    }
    const contrast = colour => {
        const [low, high] = [luminance([...grounds, colour]), luminance(grounds)].sort((a, b) => a - b);
        return (high + 0.05) / (low + 0.05);
    };
    const least = (selector, property) =>
        Math.min(...[...document.querySelectorAll(selector)].map(node => contrast(getComputedStyle(node)[property])));
    return {
        text: least(".mlt :is(strong, button, span, th, td, li, .mlt-soft)", "color"),
        labels: least(".mlt text", "fill"),
        curves: least(".mlt-curve:not(.mlt-trail)", "stroke"),
        bar: least(".mlt-bar > div", "backgroundColor"),
    };
}"""
