"""The drawn world: its things, scenes, pictures and labels."""
