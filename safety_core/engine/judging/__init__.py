"""From a prepared request to a verdict: scores, decisions, retries and the conversation's history."""
