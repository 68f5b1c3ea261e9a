"""
Other projects' wire formats, one module each, in front of the same engine as `/v1`.

What a trainer sends is read leniently, because it is not ours; what it becomes is one of our own
requests, checked as strictly as any. What each is told when *we* fail is in docs/trainers.md.
"""
