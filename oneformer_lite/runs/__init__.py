"""What shows a run, while it goes on and afterwards. To be read in this order:

``dashboard.py`` makes numbers, curves and pictures of a run's log; ``view.py`` puts them into a widget, which
``watch.py`` keeps up to date and ``replay.py`` goes back and forth in; ``page.py`` is the same as one file that needs
no Python, ``still.py`` as one picture. ``report.py`` is the page that the demo leaves. What a run is on disk is told in
``training/run.py``.
"""
