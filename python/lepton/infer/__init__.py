"""`lepton infer`: one inference from the command line."""
