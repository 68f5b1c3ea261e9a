"""Which sandbox the settings ask for."""

from reward_service.settings import Settings
from sandbox import DockerSandbox, LocalSandbox, PooledSandbox
from sandbox.docker import holds_image
from sandbox.images.build import image_tag


def image_of(settings: Settings) -> str:
    """The image that containers would be made of."""
    return settings.sandbox_image or image_tag(settings.sandbox_flavour)


def make_sandbox(settings: Settings) -> PooledSandbox:
    """A sandbox, not started yet. Blocks while it asks the engine, if that decides."""
    image = image_of(settings)
    if settings.sandbox_backend == "local" or (
        settings.sandbox_backend == "auto" and not holds_image(image)
    ):
        return LocalSandbox(slots=settings.sandbox_slots, minimum=settings.sandbox_minimum_level)
    return DockerSandbox(
        image,
        slots=settings.sandbox_slots,
        runtime=settings.sandbox_runtime,
        apparmor=settings.sandbox_apparmor,
    )
