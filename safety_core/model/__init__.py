"""The guarded model, a Hugging Face LLaVA with safety modules, and its checkpoints.

Knows nothing of data sets, training, HTTP or decisions. Import from the submodules; ``config``, ``hints`` and ``spec``
do not import torch.
"""
