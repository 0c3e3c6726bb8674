"""Widgets that look into a model, one folder each. To be read in this order, whichever it is:

``reading.py`` what is shown, as numbers, without pictures and widgets; ``pictures.py`` these numbers painted, and
``words.py`` said; ``widget.py`` the controls, and what they change; ``page.py`` and ``page.js`` the same as one file
that needs no Python.

What all have in common lies here: ``inspector.py`` (head, controls, ``set``), ``kept.py`` (what stays in a notebook
without kernel), ``picture.py`` and ``panels.py`` (pictures to point at), ``chips.py`` (names to choose), ``theme.py``
(light or dark, as the page is), ``page.py`` (the frame of all pages); and what several of them read: ``traced.py``
(one picture through a model), ``segments.py`` (who is right), ``samples.py``. ``ofl.widgets`` has all of them by name.
"""
