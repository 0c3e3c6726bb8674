"""transformers' OneFormer beside ours: ``huggingface_config.py``, and the files of its processor."""
