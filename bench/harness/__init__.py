"""The tools of `bench/run.py`: programs, servers, rounds, targets and the report."""
