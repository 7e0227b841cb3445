"""What operators see: metrics, logs, request records and the audit log."""
