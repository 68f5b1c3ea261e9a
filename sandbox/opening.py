"""The one place that knows which backends there are."""

from typing import Literal

from sandbox.containers import DockerSandbox
from sandbox.docker import holds_image
from sandbox.images.build import image_tag
from sandbox.levels import Level
from sandbox.local import LocalSandbox
from sandbox.pooled import PooledSandbox

BackendName = Literal["auto", "docker", "local"]


def open_backend(
    name: BackendName = "auto",
    *,
    slots: int,
    image: str | None = None,
    minimum: Level = "rlimits",
    runtime: str | None = None,
    apparmor: str | None = None,
) -> PooledSandbox:
    """A backend that is not started yet.

    `auto` is containers if `image` is named or an engine answers that has ours, else this host; it
    blocks while it asks. `runtime` and `apparmor` are the containers'.
    """
    if name == "local" or (name == "auto" and image is None and not holds_image(image_tag())):
        return LocalSandbox(slots=slots, minimum=minimum)
    return DockerSandbox(image, slots=slots, minimum=minimum, runtime=runtime, apparmor=apparmor)
