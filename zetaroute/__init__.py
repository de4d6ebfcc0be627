"""zetaroute: a command-line router for language models that learns from its own outcomes."""

__version__ = "0.1.0"
