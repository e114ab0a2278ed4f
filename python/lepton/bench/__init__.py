"""Measures inference servers under load: `lepton bench`. The generator is in clients/bench."""
