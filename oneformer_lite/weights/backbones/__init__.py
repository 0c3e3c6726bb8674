"""Backbones on disk: ``names.py`` of parameters, ``sizes.py`` to a network's name, ``huggingface.py`` both ways."""
