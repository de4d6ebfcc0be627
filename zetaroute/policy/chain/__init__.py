"""Chains: which model to ask after a look at the answers of others."""
