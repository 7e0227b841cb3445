"""From replies and verdicts to outcomes: judges, guard scores and usefulness."""
