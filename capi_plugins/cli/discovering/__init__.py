"""What ``capi discover`` looks for, what it has seen, and what it proposes.

An adapter hands in a ``Survey`` of its project, and for ``--record`` runs the project with a
``Recorder`` that it tells of signals, rows and requests. Of live objects nothing is kept but the
names of their fields and what kind of values those hold.
"""
