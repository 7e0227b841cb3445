"""The pages for browsers: playground and API documentation."""
