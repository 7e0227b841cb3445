"""One evaluation run: the systems compared, their report and its tables."""
