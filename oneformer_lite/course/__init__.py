"""A course that is run: what students get, what they hand in, and what of it is right.

The way of a submission, from file to mark:

* ``folders`` finds the notebooks of a folder and says whose they are, and which lab they answer;
* ``answers`` takes from a notebook the definitions that make an answer, and nothing else;
* ``template`` forks a process for each answer, ``emptied`` of the package's own functions, behind ``walls``;
* ``child`` calls the answer there and sends what it gave as ``values``: numbers and words, never a pickle;
* ``judge`` compares these with the references, which the child has never had, by ``labs.check``'s own rules;
* ``grade`` does so for all labs on all cores; ``results`` sums up, ``pages`` shows and ``written`` keeps it.

Beside it: ``handout``, ``workbook`` (start, reset), ``export_nbgrader``, ``export_otter``, ``slides``.
"""
