"""Who works on an archive: the calling process, processes of this machine, or actors of a Ray cluster."""

from unveil.batch.engines.base import Engine
from unveil.batch.engines.inline import Inline
from unveil.batch.engines.spawn import Spawn

__all__ = ["Engine", "Inline", "Spawn"]
