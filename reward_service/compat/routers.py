"""Every foreign protocol that is served. To add one: write its module, add its router here."""

from reward_service.compat import hosted, nemo_gym, openrlhf, slime

ROUTERS = (hosted.router, nemo_gym.router, openrlhf.router, slime.router)
