"""The audit log: an append-only file of decisions and of the ends of replies. Knows no model and no HTTP."""
