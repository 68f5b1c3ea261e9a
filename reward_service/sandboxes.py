"""Which sandbox the settings ask for."""

from reward_service.settings import Settings
from sandbox import PooledSandbox
from sandbox.images.build import image_tag
from sandbox.opening import open_backend


def chosen_image(settings: Settings) -> str | None:
    """The image of containers; None for the default, in whose place `auto` takes this host."""
    if settings.sandbox_image or settings.sandbox_flavour == "core":
        return settings.sandbox_image
    return image_tag(settings.sandbox_flavour)


def make_sandbox(settings: Settings) -> PooledSandbox:
    """A sandbox, not started yet; not to be called where it is off. Blocks if it asks an engine."""
    if settings.sandbox_backend == "off":
        raise AssertionError("programs are switched off")
    return open_backend(
        settings.sandbox_backend,
        slots=settings.sandbox_slots,
        image=chosen_image(settings),
        minimum=settings.sandbox_minimum_level,
        runtime=settings.sandbox_runtime,
        apparmor=settings.sandbox_apparmor,
    )
