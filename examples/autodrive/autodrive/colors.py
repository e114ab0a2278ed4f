"""The colors of the picture."""

INK, QUIET, FAINT = "#1f1e1c", "#6b6963", "#e3e1db"
ROAD, WALL, REFERENCE = "#f4f2ee", "#bdbab2", "#8f8c84"
BLUE, RED, GREEN = "#2a78d6", "#d63a39", "#1f8a5b"
# From light to dark, for slow to fast.
SPEEDS = ("#9ec5f0", "#79b0ea", "#5598e0", "#2a78d6", "#185fa5", "#0f4a87", "#0a3363")
# The parts of a latency, in the order in which a request meets them.
PARTS = ("#e3dfd6", "#b9b4a8", "#9ec5f0", "#eda100", "#5598e0", "#185fa5", "#79b0ea", "#1f8a5b")
