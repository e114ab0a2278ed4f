"""How a model is run: told and changed over the network, while it serves."""
