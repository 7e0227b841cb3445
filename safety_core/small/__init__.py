"""The small checkpoint: a guard made of pretrained parts, trained on real words and photographs."""
