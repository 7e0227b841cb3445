"""Layouts of pictures with lettering, by kind; each draws one text as it would stand in the real world."""
