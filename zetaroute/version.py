"""The version: in a module of its own, so that nothing imports the front door to know it."""

__version__ = "0.1.0"
