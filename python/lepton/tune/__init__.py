"""How a model is run: shown and changed over the network, while it serves."""
