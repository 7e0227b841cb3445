"""The audit log: who was answered what, and why, in a file that is only ever added to. Knows no model and no HTTP."""
