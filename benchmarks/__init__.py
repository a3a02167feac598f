"""Side-by-side measurements: what it costs, how fast it is, what it survives."""
