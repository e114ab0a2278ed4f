"""What `bench/run.py` measures with: programs, servers, rounds, targets and the report."""
