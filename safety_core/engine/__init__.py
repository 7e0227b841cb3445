"""The guard at work: from decoded pictures and turns to a verdict and a guarded reply, without any HTTP.

``messages`` are the requests and replies; ``guard`` judges and says what may be answered, with ``scoring``,
``readings`` and ``naming``; ``generator`` answers, over ``slots``; ``parts`` tries again what fails; ``replies`` are
the ends of a chat. ``scheduler`` gives both their turns, over ``batcher``, in a thread that ``supervisor`` keeps alive;
``async_guard`` is what a server awaits, with ``verdict_cache``. ``load`` puts a guard together from a checkpoint,
``canary`` asks whether it works. ``docs/life-of-a-request.md`` tells the story in order.
"""
