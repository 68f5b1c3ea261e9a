"""
One module a trainer: what that trainer calls, in front of the client.

No adapter makes up a reward. An item that the service failed on is masked where the trainer can
leave it out, and raises where it cannot; `on_error` chooses, see `remote.py`.
"""
