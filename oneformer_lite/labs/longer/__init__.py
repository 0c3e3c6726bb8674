"""Exercises that are too long for the file of their lab, ``lab_NN.py``, which lists them.

Not beside it: what lies there runs answers, and is not looked at when a check asks who has done the work.
"""
