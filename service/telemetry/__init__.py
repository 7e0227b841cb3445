"""Telemetry for operators: metrics, logs, request records and the audit log."""
