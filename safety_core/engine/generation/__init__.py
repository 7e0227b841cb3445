"""From an allowed request to text: decoding steps, stop strings and the output rail."""
