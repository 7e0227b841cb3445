"""safevlm-small: a checkpoint of pretrained parts, and the data, texts and pipeline that build its safety modules."""
