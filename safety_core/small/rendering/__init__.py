"""Renders texts and documents as pictures with lettering: for training, calibration and tests, never in the server."""
