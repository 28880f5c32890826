"""AWS on loopback: ministack, moto behind it for the long tail, and ours for what neither executes.

It runs as `python -m rehearsal.emulator` in its own environment, `.venv/emulator`, started by `rehearsal/host.py`.
Only `seams.py`, and `evaluator.py`, `patterns.py` and `variables.py` for what decides, touch what ministack and moto
keep private.
"""
