"""The guard as an engine: from decoded images and turns to a verdict and a guarded reply, without HTTP.

``messages`` defines requests, verdicts and replies, ``protocols`` the interface between a guard and its server.
``guard`` prepares (``preparer``), judges (``judging``) and answers (``generation``) requests; ``serving`` runs it for
many clients at once. ``load`` creates a guard from a checkpoint, ``canary`` checks that it works, ``explanation``
explains its verdicts. ``docs/life-of-a-request.md`` describes the steps of a request in order.
"""
