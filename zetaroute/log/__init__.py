"""Remembering: the journal, the DuckDB file, and the standings that decisions read."""
