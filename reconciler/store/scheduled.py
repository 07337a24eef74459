"""Since when a CronJob has the schedule that it has, where that is not since it was made.

Pure. The annotation is written in the commit that changes the schedule, whoever changes it, so that an edit starts
nothing for times that lie before it; the CronJob controller reads it.
"""

from datetime import datetime

from msgspec.structs import replace

from schemas.batch import CronJob
from schemas.meta import Object

SINCE = "wherry.dev/schedule-since"


def with_edit(new: Object, old: Object, now: datetime) -> Object:
    """The new version with the time of the last edit of its schedule. `now` is in UTC."""
    if not isinstance(new, CronJob) or not isinstance(old, CronJob):
        return new
    is_edited = (new.spec.schedule, new.spec.time_zone) != (old.spec.schedule, old.spec.time_zone)
    since = now.isoformat().replace("+00:00", "Z") if is_edited else old.metadata.annotations.get(SINCE)
    if since is None or new.metadata.annotations.get(SINCE) == since:
        return new
    return replace(new, metadata=replace(new.metadata, annotations=new.metadata.annotations | {SINCE: since}))
