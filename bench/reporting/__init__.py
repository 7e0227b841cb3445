"""What a measurement reports: estimates, tables, records and pages of the documentation."""
