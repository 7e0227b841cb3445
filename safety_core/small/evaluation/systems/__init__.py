"""Systems under evaluation: guards, text classifiers and a generative judge, behind one protocol."""
