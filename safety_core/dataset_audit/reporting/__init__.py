"""The report on an audit: counts, examples and one page of HTML."""
