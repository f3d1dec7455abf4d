"""Functions that fail once, at a chosen call."""

import os


class NthCall:
    """A function whose call number `fails_at` raises; `calls` counts them all."""

    def __init__(self, function, fails_at, code):
        self.function, self.fails_at, self.code, self.calls = function, fails_at, code, 0

    def __call__(self, *args, **kwargs):
        self.calls += 1
        if self.calls == self.fails_at:
            raise OSError(self.code, os.strerror(self.code))
        return self.function(*args, **kwargs)
