"""The errors of the queue, its images and its folder."""

from unveil.errors import ImageError, RecordError, UnveilError


class JobError(UnveilError):
    """A job, or the folder of the jobs, can't be used as asked."""


class NotFoundError(JobError):
    """There is no job, image or classifier of this name."""


class StateError(JobError):
    """A job isn't in a state in which this can be done."""


class QueueFullError(JobError):
    """As many jobs wait as may wait."""


class AskTimeoutError(JobError):
    """The worker didn't come to a question in time."""


class FolderInUseError(RecordError):
    """Another server works in the folder."""


class UploadTooLargeError(ImageError):
    """An upload has more bytes than are accepted."""
