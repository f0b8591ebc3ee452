"""The pure core: a bot and a turn in, a decision with its reasons out."""

from supportbot.decision.conclude import conclude, reset, start_session, welcome
from supportbot.decision.decide import decide
from supportbot.decision.explain import Explanation, WhyNot, explain
from supportbot.decision.timeouts import elapse

__all__ = ["Explanation", "WhyNot", "conclude", "decide", "elapse", "explain", "reset", "start_session", "welcome"]
