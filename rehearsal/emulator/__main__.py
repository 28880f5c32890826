"""`python -m rehearsal.emulator --state FOLDER [--port 0] [--enforce] [--delays]`: see server.py."""

from rehearsal.emulator.server import main

main()
