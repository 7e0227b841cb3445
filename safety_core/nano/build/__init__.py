"""The build of the nano: backbone, corpus, safety modules, evaluation, model card and examples."""
