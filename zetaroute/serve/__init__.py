"""The loop behind an OpenAI-compatible endpoint: a second door beside the command line, over the same engine."""
