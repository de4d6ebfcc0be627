"""Other routers on the same work: the same rows, the same vectors or the raw text, the same value of an answer."""
