"""Words for what a photograph shows, and the rule by which an answer names it. Knows no torch."""
