"""Studies: what a change is worth, with error bars. To be read in this order:

``variants.py`` makes named variants of a configuration and a recipe, ``definition.py`` is what a study compares and how
that lies on disk (``stored.py``), ``file.py`` reads one that somebody wrote. ``running.py`` trains and judges what is
not there yet (``work.py``, ``overall.py``; ``judging.py`` by ``measures.py``; ``background.py``: several at once),
``results.py`` keeps what came out. ``summary.py`` says what follows from it, and what does not; ``timing.py`` how long
it will take. ``study.py`` is a study on disk, ``page.py`` the same to look at.
"""
