"""The report of a rehearsal: one HTML file with pictures that needs neither network nor scripts."""
