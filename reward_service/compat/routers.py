"""Every foreign protocol that is served. To add one: write its module, add its router here."""

from reward_service.compat import (
    eval_protocol,
    nemo_gym,
    nova,
    open_instruct,
    open_r1,
    openai_graders,
    openrlhf,
    piston,
    sandbox_fusion,
    slime,
    vertex,
)

ROUTERS = (
    eval_protocol.router,
    nemo_gym.router,
    nova.router,
    open_instruct.router,
    open_r1.router,
    openai_graders.router,
    openrlhf.router,
    piston.router,
    sandbox_fusion.ping_router,
    sandbox_fusion.router,
    slime.router,
    vertex.router,
)
