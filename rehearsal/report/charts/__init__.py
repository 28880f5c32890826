"""The pictures of the report: functions from facts to SVG. Colours are classes of the page's style sheet."""
