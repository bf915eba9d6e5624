"""One module per verb of the command line, each with ``run(words) -> status``; importing one loads no torch."""
