"""Round values for the axes of charts."""

from __future__ import annotations

import math


def nice_ticks(largest: float) -> list[float]:
    """Returns round values from 0 to `largest` or just above: 4 to 6 of them."""
    if largest <= 0:
        return [0.0, 1.0]
    rough = largest / 4
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= rough)
    return [step * index for index in range(math.ceil(largest / step - 1e-9) + 1)]


def tick_label(value: float) -> str:
    """Returns a round value for an axis: 1500 as 1.5k."""
    for factor, letter in ((1e6, "M"), (1e3, "k")):
        if value >= factor:
            return f"{value / factor:g}{letter}"
    return f"{value:.6g}"
