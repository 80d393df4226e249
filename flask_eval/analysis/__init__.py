"""Pure analysis: the two tables in, frozen result records out; each with n, interval, method and seed."""
