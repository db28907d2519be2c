"""How a report looks: text, HTML, plots, and the files it is written to."""
