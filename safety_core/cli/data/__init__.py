"""Commands on data sets: import, suites, reports, and labels that a person confirms."""
