"""Requests in, recorded calls out: keys, limits, retries, budget, resume."""
