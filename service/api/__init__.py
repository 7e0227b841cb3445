"""The endpoints, and what they share: reading a request, choosing its policy, building its response."""
